//! The terms of a role in PIM: its role settings, which Graph calls policies and rules
//! (<https://learn.microsoft.com/graph/identity-governance-pim-rules-overview>).

use std::collections::BTreeMap;

use elevate_core::names::ObjectId;
use elevate_core::policy::import::{Holder, HolderKind, Settings};
use jiff::SignedDuration;
use serde::Deserialize;
use uuid::Uuid;

use super::{Read, list};
use crate::graph::address::asking;
use crate::graph::budget::Priority;
use crate::graph::call::{Call, Fault, Line};
use crate::graph::people::shown;
use crate::ports::directory::Unreachable;

/// Which policy a role has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assigned {
    policy_id: Option<String>,
    role_definition_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Policy {
    #[serde(default)]
    rules: Vec<Rule>,
}

/// One of the seventeen. Each kind has some of these.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: Option<String>,
    is_expiration_required: Option<bool>,
    maximum_duration: Option<String>,
    #[serde(default)]
    enabled_rules: Vec<String>,
    is_enabled: Option<bool>,
    claim_value: Option<String>,
    setting: Option<Approval>,
    #[serde(default)]
    notification_recipients: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    is_approval_required: Option<bool>,
    approval_stages: Option<Vec<Stage>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stage {
    #[serde(default)]
    primary_approvers: Vec<Approver>,
    is_escalation_enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approver {
    user_id: Option<String>,
    group_id: Option<String>,
    id: Option<String>,
    description: Option<String>,
}

/// The policies of a scope, by the role's id there; or why they cannot be read.
pub(super) type Policies = Result<BTreeMap<String, String>, String>;

pub(super) async fn policies(line: &Line, scope: &str, kind: &str) -> Result<Policies, Unreachable> {
    let url = line.root.at(&["policies", "roleManagementPolicyAssignments"]);
    // Without both of them Graph lists nothing.
    let url = asking(url, &format!("$filter=scopeId eq '{scope}' and scopeType eq '{kind}'"));
    Ok(match list::<Assigned>(line, "import.policies", url).await? {
        Read::Whole(found) => Ok(found
            .into_iter()
            .filter_map(|Assigned { policy_id, role_definition_id }| {
                Some((role_definition_id?.to_ascii_lowercase(), policy_id?))
            })
            .collect()),
        Read::Refused(why) => Err(why),
    })
}

/// The terms of one of them. Where they cannot be read, they say so.
pub(super) async fn of(line: &Line, policies: &Policies, role: &str) -> Result<Settings, Unreachable> {
    let unread = |why: &str| Settings {
        reason: true,
        second_factor: true,
        left_out: vec![format!("its terms in PIM, such as approval, which cannot be read: {why}")],
        ..Settings::default()
    };
    let id = match policies {
        Ok(policies) => match policies.get(role) {
            Some(id) => id,
            None => return Ok(unread("PIM has none for it")),
        },
        Err(why) => return Ok(unread(why)),
    };
    let url = asking(line.root.at(&["policies", "roleManagementPolicies", id]), "$expand=rules");
    match line.send(Call::read("import.rules", Priority::List, url)).await {
        Ok(body) => Ok(understood(body.read::<Policy>()?)),
        Err(Fault::Refused(refusal)) => Ok(unread(&refusal.for_reading())),
        Err(unclear) => Err(unclear.into()),
    }
}

fn understood(policy: Policy) -> Settings {
    let mut settings = Settings::default();
    let (mut knows_approval, mut mails) = (false, 0usize);
    for rule in policy.rules {
        match rule.id.as_deref().unwrap_or_default() {
            "Expiration_EndUser_Assignment" if rule.is_expiration_required != Some(false) => {
                settings.longest = rule.maximum_duration.as_deref().and_then(edm_duration);
            }
            "Enablement_EndUser_Assignment" => {
                for enabled in rule.enabled_rules {
                    match enabled.as_str() {
                        "MultiFactorAuthentication" => settings.second_factor = true,
                        "Justification" => settings.reason = true,
                        "Ticketing" => settings.ticket = true,
                        other => {
                            settings.left_out.push(format!("a rule of PIM's that is not known: {other}"))
                        }
                    }
                }
            }
            "AuthenticationContext_EndUser_Assignment" if rule.is_enabled == Some(true) => {
                settings.context = rule.claim_value.filter(|claim| !claim.is_empty());
            }
            "Approval_EndUser_Assignment" => {
                if let Some(setting) = rule.setting {
                    knows_approval = setting.is_approval_required.is_some();
                    approval(setting, &mut settings);
                }
            }
            id if id.starts_with("Notification_") => {
                mails = mails.saturating_add(rule.notification_recipients.len());
            }
            _ => {}
        }
    }
    if !knows_approval {
        settings.left_out.push("whether PIM asks for approval, which its rules do not say".to_owned());
    }
    if mails > 0 {
        settings.left_out.push(format!("mails to {mails} more addresses: `notify` names people and groups"));
    }
    settings
}

fn approval(setting: Approval, settings: &mut Settings) {
    let Approval { is_approval_required, approval_stages } = setting;
    settings.approval = is_approval_required == Some(true);
    if !settings.approval {
        return;
    }
    for Stage { primary_approvers, is_escalation_enabled } in approval_stages.unwrap_or_default() {
        if is_escalation_enabled == Some(true) {
            settings.left_out.push("whom PIM escalates to".to_owned());
        }
        let mut stage = Vec::new();
        for Approver { user_id, group_id, id, description } in primary_approvers {
            let (kind, id) = match (user_id, group_id) {
                (Some(user), _) => (HolderKind::User, Some(user)),
                (None, Some(group)) => (HolderKind::Group, Some(group)),
                (None, None) => (HolderKind::Unknown, id),
            };
            let name = description.as_deref().map(shown);
            // Such as the manager of whoever asks. They stay in the stage: an empty one has another meaning.
            let unknown = || (ObjectId::from_uuid(Uuid::nil()), HolderKind::Unknown);
            let (id, kind) = id.and_then(|id| id.parse().ok()).map_or_else(unknown, |id| (id, kind));
            stage.push(Holder { id, kind, name });
        }
        settings.stages.push(stage);
    }
}

/// Edm.Duration: days, hours, minutes and seconds.
fn edm_duration(text: &str) -> Option<SignedDuration> {
    let (date, time) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let days: i64 = if date.is_empty() { 0 } else { date.strip_suffix('D')?.parse().ok()? };
    let rest = if time.is_empty() { SignedDuration::ZERO } else { format!("PT{time}").parse().ok()? };
    let length = SignedDuration::try_from_hours(days.checked_mul(24)?)?.checked_add(rest)?;
    length.is_positive().then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_graph_writes_them() {
        for (text, minutes) in [("PT8H", 480), ("PT30M", 30), ("P1D", 1440), ("P1DT2H", 1560)] {
            assert_eq!(edm_duration(text), Some(SignedDuration::from_mins(minutes)), "{text}");
        }
        for text in ["", "8h", "P", "PT", "PT0S", "-PT1H", "P1W", "P1Y", "P99999999999999999D"] {
            assert_eq!(edm_duration(text), None, "{text}");
        }
    }
}
