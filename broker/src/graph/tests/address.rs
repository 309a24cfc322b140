use super::super::address::Root;
use super::super::budget::Priority;
use super::super::call::Call;
use super::*;

#[test]
fn delete_means_one_role_assignment_and_nothing_else() {
    for root in
        ["https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0/", "http://localhost/x"]
    {
        let root = Root::new(Url::parse(root).unwrap());
        for safe in ["YUb1sHQtUEyvox7IA_Eu_mm3jqnUe4lEhvatluHVi2I-1", "a", "~", "...", "a.b"] {
            let address = root.assignment(&id(safe)).unwrap();
            let call = format!("{:?}", Call::delete("x", &address));
            assert!(call.contains("method: DELETE"), "{call}");
            let url = address.url();
            let path = url.path().to_owned();
            assert!(path.ends_with(&format!("/roleManagement/directory/roleAssignments/{safe}")), "{path}");
            assert_eq!(url.query(), None);
        }
        // A segment of dots would climb, and then DELETE would hit something else.
        for climbing in [".", ".."] {
            assert_eq!(root.assignment(&id(climbing)), None);
        }
    }
}

#[test]
fn to_take_somebody_out_of_a_group_never_addresses_the_person() {
    let (group, ann) = (GROUPS_ADMIN.parse().unwrap(), ANN.parse().unwrap());
    for root in ["https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0/"] {
        let root = Root::new(Url::parse(root).unwrap());
        for (relation, word) in [(Relation::Member, "members"), (Relation::Owner, "owners")] {
            let membership = Membership { group, relation };
            let url = root.reference(&membership, ann).url();
            let place = format!("https://graph.microsoft.com/v1.0/groups/{GROUPS_ADMIN}/{word}");
            assert_eq!(url.as_str(), format!("{place}/{ANN}/$ref"), "without `$ref`, DELETE deletes Ann");
            assert_eq!(root.references(&membership).as_str(), format!("{place}/$ref"));
            assert_eq!(root.related(&membership).as_str(), format!("{place}?$select=id&$top=999"));
        }
    }
}

#[test]
fn there_is_one_way_to_build_a_delete() {
    let addresses = include_str!("../address.rs");
    // Made by two functions, and both are tested above.
    assert_eq!(addresses.matches("Removable(").count(), 3, "the type, and one for each of the two");
    assert_eq!(addresses.matches("\"$ref\"").count(), 2);
    let others = [
        include_str!("../absence.rs"),
        include_str!("../assignment.rs"),
        include_str!("../budget.rs"),
        include_str!("../call.rs"),
        include_str!("../credential.rs"),
        include_str!("../doctor.rs"),
        include_str!("../doctor/permissions.rs"),
        include_str!("../group.rs"),
        include_str!("../people.rs"),
        include_str!("../pim.rs"),
        include_str!("../pim_group.rs"),
        include_str!("../refusal.rs"),
        include_str!("../schedule.rs"),
        include_str!("../wire.rs"),
        include_str!("../../graph.rs"),
    ]
    .concat();
    for built_here_only in ["Removable(", "$ref\"", "\"owners\"", "collection(membership"] {
        assert!(!others.contains(built_here_only), "{built_here_only}");
    }
    let sources = format!("{addresses}{others}");
    assert_eq!(sources.matches("Method::DELETE").count(), 1);
    assert_eq!(sources.matches(".delete(").count(), 0, "reqwest's shorthand");
    assert_eq!(sources.matches("Method::PATCH").count() + sources.matches("Method::PUT").count(), 0);
    assert!(!sources.contains("\"ConsistencyLevel"), "a read of the older index");
}

#[test]
fn other_calls_are_reads_and_posts() {
    let url = Url::parse("https://graph.microsoft.com/v1.0/x").unwrap();
    let read = format!("{:?}", Call::read("x", Priority::List, url.clone()));
    let write = format!("{:?}", Call::write("x", Priority::Grant, url.clone(), None));
    let groups = format!("{:?}", Call::groups(url, Value::Null));
    assert!(
        read.contains("method: GET") && write.contains("method: POST") && groups.contains("method: POST")
    );
}

#[test]
fn a_listing_goes_on_only_on_the_same_host() {
    let root = Root::new(Url::parse("https://graph.microsoft.com/v1.0").unwrap());
    assert!(root.next("https://graph.microsoft.com/v1.0/x?$skiptoken=1").is_some());
    for elsewhere in [
        "https://graph.microsoft.com.evil.example/v1.0/x",
        "https://graph.microsoft.com@evil.example/",
        "https://user@graph.microsoft.com/v1.0/x",
        "http://graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com:444/v1.0/x",
        "//evil.example/",
        "/v1.0/x",
        "",
    ] {
        assert_eq!(root.next(elsewhere), None, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_credential_goes_over_tls_or_stays_on_this_host() {
    let stub = Stub::start().await;
    for (graph, is_taken) in [
        ("https://graph.microsoft.com/v1.0", true),
        ("http://127.0.0.1:9/v1.0", true),
        ("http://[::1]:9/v1.0", true),
        ("http://localhost:9/v1.0", true),
        ("http://graph.microsoft.com/v1.0", false),
        ("http://127.0.0.1.evil.example/", false),
        ("ftp://localhost/", false),
        ("data:x", false),
    ] {
        let url = Url::parse(graph).unwrap();
        let as_graph = Settings { graph: url.clone(), ..settings(&stub) };
        let application = Application {
            client_id: CLIENT.parse().unwrap(),
            token_endpoint: url,
            proof: Proof::Secret(SECRET.into()),
        };
        let as_login = Settings { credential: Credential::Application(application), ..settings(&stub) };
        for settings in [as_graph, as_login] {
            assert_eq!(Graph::new(settings, http(), ManualClock::new()).is_ok(), is_taken, "{graph}");
        }
    }
}

#[test]
fn addresses_follow_from_their_roots() {
    let graph = Url::parse("https://graph.microsoft.us/v1.0").unwrap();
    assert_eq!(Settings::scope_of(&graph), "https://graph.microsoft.us/.default");
    for login in ["https://login.microsoftonline.com", "https://login.microsoftonline.com/"] {
        let endpoint =
            Settings::token_endpoint_of(&Url::parse(login).unwrap(), TENANT.parse().unwrap()).unwrap();
        assert_eq!(
            endpoint.as_str(),
            format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")
        );
    }
}
