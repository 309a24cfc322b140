//! What a built-in directory role can do to the tenant: how near it is to holding everything.
//!
//! A table, not an analysis: it knows the role and neither the tenant's applications nor its groups. The
//! tiers and the shortest ways are those of "Entra roles tiering based on known attack paths"
//! (<https://github.com/emiliensocchi/azure-tiering>, read 2026-11), the template ids those of
//! <https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference>. Whatever is
//! not in it, such as a custom role, is unknown, which is not harmless.

use super::EligibleRole;
use crate::names::{DirectoryRole, Resource, RoleDefinitionId, Scope};

/// How near a role is to the whole tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// A way to Global Administrator is known.
    Zero,
    /// All of one service, or reading everywhere; no way further is known.
    One,
    /// Little harm to be done.
    Two,
}

impl Tier {
    /// 0, 1 or 2.
    pub const fn number(self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// Whether whoever holds a role can come to hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ascent {
    /// In one step: how.
    Direct(&'static str),
    /// In several, where the tenant has what they need: how.
    Indirect(&'static str),
    /// No way is known.
    NoneKnown,
}

/// What is known of a built-in role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Power {
    /// Its template id.
    id: &'static str,
    /// As Entra calls it.
    pub title: &'static str,
    /// How near it is to the whole tenant.
    pub tier: Tier,
    /// Whether it can grant itself more.
    pub ascent: Ascent,
}

/// What is known of this role, held for the whole tenant; `None` when nothing is.
pub fn power(role: RoleDefinitionId) -> Option<&'static Power> {
    let id = role.to_string();
    POWERS.iter().find(|power| power.id == id)
}

impl EligibleRole {
    /// What is known of the role behind this offer. Of a custom role nothing is, nor of what a group leads to;
    /// nor is a role counted here that does not reach beyond a unit or one object.
    pub fn power(&self) -> Option<&'static Power> {
        match self.target.resource() {
            Resource::Role(DirectoryRole { definition, scope: Scope::Tenant }) => power(definition),
            Resource::Role(_) | Resource::Group(_) => None,
        }
    }
}

const APPLICATIONS: &str = "it can add a credential to any application and act as one that may assign roles";
const PASSWORDS: &str =
    "it can reset the password of somebody who owns an application that may assign roles, and act as both";
const GROUPS: &str = "it can join a group that is not role-assignable but holds rights over Azure resources, and act as a workload there that may assign roles";
const FEDERATION: &str = "it can add a federated domain, and sign in by it as any administrator";
const CONDITIONAL_ACCESS: &str = "it can shut everybody else out of the tenant by Conditional Access";
const ADMINISTRATORS: &str = "it can reset the password of a Global Administrator";

const fn zero(id: &'static str, title: &'static str, ascent: Ascent) -> Power {
    Power { id, title, tier: Tier::Zero, ascent }
}

const fn one(id: &'static str, title: &'static str) -> Power {
    Power { id, title, tier: Tier::One, ascent: Ascent::NoneKnown }
}

const fn two(id: &'static str, title: &'static str) -> Power {
    Power { id, title, tier: Tier::Two, ascent: Ascent::NoneKnown }
}

const POWERS: [Power; 73] = [
    zero(
        "62e90394-69f5-4237-9190-012177145e10",
        "Global Administrator",
        Ascent::Direct("it is the whole tenant"),
    ),
    zero(
        "e8611ab8-c189-46e8-94e1-60213ab1f814",
        "Privileged Role Administrator",
        Ascent::Direct("it can assign Global Administrator to itself"),
    ),
    zero(
        "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
        "Privileged Authentication Administrator",
        Ascent::Direct(ADMINISTRATORS),
    ),
    zero("e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8", "Partner Tier2 Support", Ascent::Direct(ADMINISTRATORS)),
    zero(
        "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9",
        "Conditional Access Administrator",
        Ascent::Direct(CONDITIONAL_ACCESS),
    ),
    zero(
        "194ae4cb-b126-40b2-bd5b-6091b380977d",
        "Security Administrator",
        Ascent::Direct(CONDITIONAL_ACCESS),
    ),
    zero("9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "Application Administrator", Ascent::Indirect(APPLICATIONS)),
    zero(
        "158c047a-c907-4556-b7ef-446551a6b5f7",
        "Cloud Application Administrator",
        Ascent::Indirect(APPLICATIONS),
    ),
    zero("4ba39ca4-527c-499a-b93d-d9b492c50246", "Partner Tier1 Support", Ascent::Indirect(APPLICATIONS)),
    zero("c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator", Ascent::Indirect(PASSWORDS)),
    zero("729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator", Ascent::Indirect(PASSWORDS)),
    zero("966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator", Ascent::Indirect(PASSWORDS)),
    zero("fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator", Ascent::Indirect(PASSWORDS)),
    zero("8329153b-31d0-4727-b945-745eb3bc5f31", "Domain Name Administrator", Ascent::Indirect(FEDERATION)),
    zero(
        "be2f45a1-457d-42af-a067-6ec1fa63bc45",
        "External Identity Provider Administrator",
        Ascent::Indirect(FEDERATION),
    ),
    zero(
        "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2",
        "Hybrid Identity Administrator",
        Ascent::Indirect(FEDERATION),
    ),
    zero(
        "e3973bdf-4987-49ae-837a-ba8e231c7286",
        "Azure DevOps Administrator",
        Ascent::Indirect(
            "it can run a pipeline that holds rights over Azure resources, and act as a workload there that may assign roles",
        ),
    ),
    zero(
        "45d8d3c5-c802-45c6-b32a-1d70b5e1e86e",
        "Identity Governance Administrator",
        Ascent::Indirect(
            "it can open an access package that leads to an administrator role, and ask for it itself",
        ),
    ),
    zero(
        "3a2c62db-5318-420d-8d74-23affee5d9d5",
        "Intune Administrator",
        Ascent::Indirect("it can run commands on an administrator's device, and act with their tokens"),
    ),
    zero(
        "59d46f88-662b-457b-bceb-5c3809e5908f",
        "Lifecycle Workflows Administrator",
        Ascent::Indirect(GROUPS),
    ),
    zero("9360feb5-f418-4baa-8175-e2a00bac4301", "Directory Writers", Ascent::Indirect(GROUPS)),
    zero("29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator", Ascent::Indirect(GROUPS)),
    zero("fdd7a751-b60b-444a-984c-02652fe8fa1c", "Groups Administrator", Ascent::Indirect(GROUPS)),
    zero("b5a8dcf3-09d5-43a9-a639-8e29ef291470", "Knowledge Administrator", Ascent::Indirect(GROUPS)),
    zero("744ec460-397e-42ad-a462-8b3f9747a02c", "Knowledge Manager", Ascent::Indirect(GROUPS)),
    zero("f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator", Ascent::Indirect(GROUPS)),
    zero("69091246-20e8-4a56-aa4d-066075b2a7a8", "Teams Administrator", Ascent::Indirect(GROUPS)),
    zero("11451d60-acb2-45eb-a7d6-43d0f0125c13", "Windows 365 Administrator", Ascent::Indirect(GROUPS)),
    zero("810a2642-a034-447f-a5e8-41beaa378541", "Yammer Administrator", Ascent::Indirect(GROUPS)),
    one("d2562ede-74db-457e-a7b6-544e236ebb61", "AI Administrator"),
    one("c430b396-e693-46cc-96f3-db01bf8bb62a", "Attack Simulation Administrator"),
    one("58a13ea3-c632-46ae-9ee0-9c0d43cd7f3d", "Attribute Assignment Administrator"),
    one("0526716b-113d-4c15-b2c8-68e3c22b9f80", "Authentication Policy Administrator"),
    one("7495fdc4-34c4-4d15-a289-98788ce399fd", "Azure Information Protection Administrator"),
    one("b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator"),
    one("892c5842-a9a6-463a-8041-72aa08ca3cf6", "Cloud App Security Administrator"),
    one("7698a772-787b-4ac8-901f-60d6b08affd2", "Cloud Device Administrator"),
    one("17315797-102d-40b4-93e0-432062caca18", "Compliance Administrator"),
    one("e6d1a23a-da11-4be4-9570-befc86d067a7", "Compliance Data Administrator"),
    one("44367163-eba1-44c3-98af-f5787879f96a", "Dynamics 365 Administrator"),
    one("6e591065-9bad-43ed-90f3-e9424366d2f0", "External ID User Flow Administrator"),
    one("a9ea8996-122f-4c74-9520-8edcd192826c", "Fabric Administrator"),
    one("f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"),
    one("ac434307-12b9-4fa1-a708-88bf58caabc1", "Global Secure Access Administrator"),
    one("95e79109-95c0-4d8e-aee3-d01accf2d47b", "Guest Inviter"),
    one("4d6ac14f-3453-41d0-bef9-a3e0c569773a", "License Administrator"),
    one("11648597-926c-4cf3-9c36-bcebb0ba8dcc", "Power Platform Administrator"),
    one("5f2222b1-57c3-48ba-8ad5-d4759f1fde6f", "Security Operator"),
    one("5d6b6bb7-de71-4623-b4af-96380a352509", "Security Reader"),
    one("75941009-915a-4869-abe7-691bff18279e", "Skype for Business Administrator"),
    one("baf37b3a-610e-45da-9e62-d9d1e5e8914b", "Teams Communications Administrator"),
    one("3d762c5a-1b6c-493f-843e-55a3b42923d4", "Teams Devices Administrator"),
    one("32696413-001a-46ae-978c-ce0f6b3620d2", "Windows Update Deployment Administrator"),
    two("cf1c38e5-3621-4004-a7cb-879624dced7c", "Application Developer"),
    two("9c6df0f2-1e7c-4dc3-b195-66dfbd24aa8f", "Attack Payload Author"),
    two("ffd52fa5-98dc-465c-991d-fc073eb59f8f", "Attribute Assignment Reader"),
    two("1d336d2c-4ae8-42ef-9711-b3604ce3fc2c", "Attribute Definition Reader"),
    two("5c4f9dcd-47dc-4cf7-8c9a-9e4207cbfc91", "Customer LockBox Access Approver"),
    two("88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"),
    two("3f1acade-1e04-4fbc-9b69-f0302cd84aef", "Edge Administrator"),
    two("31392ffb-586c-42d1-9346-e59415a2cc4e", "Exchange Recipient Administrator"),
    two("ac16e43d-7b2d-40e0-ac05-243ff356ab5b", "Message Center Privacy Reader"),
    two("790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", "Message Center Reader"),
    two("d37c8bed-0711-4417-ba38-b4abe66ce4c2", "Network Administrator"),
    two("2b745bdf-0803-4d80-aa65-822c4493daac", "Office Apps Administrator"),
    two("644ef478-e28f-4e28-b9dc-3fdde9aa0b1f", "Printer Administrator"),
    two("e8cef6f1-e4bd-4ea8-bc07-4b8d950f4477", "Printer Technician"),
    two("4a5d8f65-41da-4de4-8968-e035b65339cf", "Reports Reader"),
    two("0964bb5e-9bdb-4d7b-ac29-58e794862a40", "Search Administrator"),
    two("8835291a-918c-4fd7-a9ce-faa49f0cf7d9", "Search Editor"),
    two("f023fd81-a637-4b56-95fd-791ac0226033", "Service Support Administrator"),
    two("112ca1a2-15ad-4102-995e-45b0bc479a6a", "Tenant Creator"),
    two("75934031-6c7e-415a-99d7-48dbd49e875e", "Usage Summary Reports Reader"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_one_and_stands_there_once() {
        for (place, power) in POWERS.iter().enumerate() {
            assert_eq!(power.id.parse::<RoleDefinitionId>().unwrap().to_string(), power.id);
            assert!(POWERS.iter().take(place).all(|other| other.id != power.id), "{}", power.title);
        }
    }

    #[test]
    fn tier_zero_is_where_a_way_further_is_known_and_nowhere_else() {
        for power in &POWERS {
            assert_eq!(power.tier == Tier::Zero, power.ascent != Ascent::NoneKnown, "{}", power.title);
        }
    }

    #[test]
    fn a_role_that_is_not_known_is_not_called_harmless() {
        assert_eq!(power("5a4db0c5-0000-4000-8000-000000000501".parse().unwrap()), None);
        let reader = power("f2ef992c-3afb-46b9-b7cf-a126ee74c451".parse().unwrap()).unwrap();
        assert_eq!((reader.title, reader.tier.number()), ("Global Reader", 1));
    }
}
