//! Who and what lives in the tenant from the start. The ids never change, so tests and policies may name them.

/// The tenant's id (`tid`).
pub const TENANT: &str = "5a4db0c5-0000-4000-8000-00000000e1e0";
/// The tenant's initial domain, which user principal names end in.
pub const DOMAIN: &str = "sandbox.example";
/// An administrative unit, for scopes such as `/administrativeUnits/{id}`.
pub const UNIT: &str = "5a4db0c5-0000-4000-8000-0000000000a1";

/// Somebody who can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// The short name, as in `login_hint=ann`.
    pub name: &'static str,
    /// The name that people read.
    pub display_name: &'static str,
    /// The object id (`oid`).
    pub id: &'static str,
}

impl Person {
    /// The name they sign in with, `ann@sandbox.example`.
    #[must_use]
    pub fn user_principal_name(&self) -> String {
        format!("{}@{DOMAIN}", self.name)
    }
}

/// Asks for roles.
pub const ANN: Person = person("ann", "Ann Archer", "5a4db0c5-0000-4000-8000-000000000001");
/// Approves.
pub const BOB: Person = person("bob", "Bob Baker", "5a4db0c5-0000-4000-8000-000000000002");
/// Approves too.
pub const CAROL: Person = person("carol", "Carol Cooper", "5a4db0c5-0000-4000-8000-000000000003");
/// Nobody special.
pub const DAVE: Person = person("dave", "Dave Dyer", "5a4db0c5-0000-4000-8000-000000000004");
/// Changes the policy, reads the audit and revokes: holds every app role of the broker's API.
pub const EVE: Person = person("eve", "Eve Ealdor", "5a4db0c5-0000-4000-8000-000000000005");
/// Comes when nobody else is there: for emergencies.
pub const FRANK: Person = person("frank", "Frank Fisher", "5a4db0c5-0000-4000-8000-000000000006");
/// Changes the policy, and nothing else: the second person that a change needs.
pub const GRACE: Person = person("grace", "Grace Gardner", "5a4db0c5-0000-4000-8000-000000000007");
/// Everybody who is there from the start.
pub const EVERYBODY: [Person; 7] = [ANN, BOB, CAROL, DAVE, EVE, FRANK, GRACE];

/// A group that is there from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its display name.
    pub name: &'static str,
    /// Its object id.
    pub id: &'static str,
    /// Whether it can hold directory roles (`isAssignableToRole`).
    pub role_assignable: bool,
    /// The rule that fills it, if it is a dynamic one. The sandbox does not evaluate it.
    pub rule: Option<&'static str>,
    /// Whether it is synchronised from the premises (`onPremisesSyncEnabled`).
    pub synced: bool,
    /// Object ids of the people and groups directly in it.
    pub members: &'static [&'static str],
    /// Object ids of its owners.
    pub owners: &'static [&'static str],
}

/// Bob and Carol.
pub const APPROVERS: Group =
    Group { members: &[BOB.id, CAROL.id], ..group("Approvers", "5a4db0c5-0000-4000-8000-000000000101") };
/// Ann and Dave, and through [`APPROVERS`] Bob and Carol: a group with a group in it.
pub const STAFF: Group = Group {
    members: &[ANN.id, DAVE.id, APPROVERS.id],
    ..group("Staff", "5a4db0c5-0000-4000-8000-000000000102")
};
/// Role-assignable, with nobody in it.
pub const HELPDESK: Group =
    Group { role_assignable: true, ..group("Helpdesk", "5a4db0c5-0000-4000-8000-000000000103") };
/// Nobody but [`APPROVERS`]: who approves by way of it does so through a group in a group.
pub const ON_CALL: Group =
    Group { members: &[APPROVERS.id], ..group("On-call approvers", "5a4db0c5-0000-4000-8000-000000000104") };
/// An ordinary security group that opens servers. Eve owns it; nobody is in it.
pub const SERVER_OPERATORS: Group =
    Group { owners: &[EVE.id], ..group("Server operators", "5a4db0c5-0000-4000-8000-000000000105") };
/// A role-assignable group for PIM for Groups. Nobody is in it and nobody owns it.
pub const TIER0_OPERATORS: Group =
    Group { role_assignable: true, ..group("Tier-0 operators", "5a4db0c5-0000-4000-8000-000000000106") };
/// A dynamic group: only its rule puts people in.
pub const DYNAMIC: Group = Group {
    rule: Some("(user.department -eq \"Operations\")"),
    members: &[EVE.id],
    ..group("Operations (dynamic)", "5a4db0c5-0000-4000-8000-000000000107")
};
/// A group that is kept on the premises.
pub const SYNCED: Group = Group {
    synced: true,
    members: &[DAVE.id],
    ..group("Datacentre (synchronised)", "5a4db0c5-0000-4000-8000-000000000108")
};
/// Every group that is there from the start.
pub const GROUPS: [Group; 8] =
    [APPROVERS, STAFF, HELPDESK, ON_CALL, SERVER_OPERATORS, TIER0_OPERATORS, DYNAMIC, SYNCED];

/// An app registration and its service principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App {
    /// Its display name.
    pub name: &'static str,
    /// The application (client) id.
    pub client_id: &'static str,
    /// The object id of its service principal.
    pub object_id: &'static str,
}

/// The broker: the API that people's access tokens are for, and the application that calls Graph.
/// It signs in with the certificate or the secret in the tenant's folder.
pub const BROKER: App = App {
    name: "Elevate broker",
    client_id: "5a4db0c5-0000-4000-8000-000000000201",
    object_id: "5a4db0c5-0000-4000-8000-000000000301",
};
/// The command line: a public client with a loopback redirect.
pub const CLI: App = App {
    name: "Elevate command line",
    client_id: "5a4db0c5-0000-4000-8000-000000000202",
    object_id: "5a4db0c5-0000-4000-8000-000000000302",
};
/// An incident-response script that signs in with a secret and may revoke.
pub const AUTOMATION: App = App {
    name: "Incident automation",
    client_id: "5a4db0c5-0000-4000-8000-000000000203",
    object_id: "5a4db0c5-0000-4000-8000-000000000303",
};
/// Microsoft Graph itself, under the client id that it has in every tenant.
pub const GRAPH: App = App {
    name: "Microsoft Graph",
    client_id: "00000003-0000-0000-c000-000000000000",
    object_id: "5a4db0c5-0000-4000-8000-000000000304",
};
/// The managed identity of the host that the tenant runs on: no registration, and it may what the broker may.
pub const HOST: App = App {
    name: "Host of the sandbox (managed identity)",
    client_id: "5a4db0c5-0000-4000-8000-000000000204",
    object_id: "5a4db0c5-0000-4000-8000-000000000305",
};
/// Every app that is there from the start.
pub const APPS: [App; 5] = [BROKER, CLI, AUTOMATION, GRAPH, HOST];

/// An application registration: the object that a role can be held over, under an id that is neither the client id
/// nor that of the service principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its display name.
    pub name: &'static str,
    /// The object id of the registration, for scopes such as `/{id}`.
    pub id: &'static str,
    /// The application (client) id.
    pub client_id: &'static str,
}

/// The broker's own registration.
pub const BROKER_REGISTRATION: Registration = Registration {
    name: BROKER.name,
    id: "5a4db0c5-0000-4000-8000-000000000601",
    client_id: BROKER.client_id,
};
/// Somebody else's application, to hold a role over.
pub const PAYROLL: Registration = Registration {
    name: "Payroll",
    id: "5a4db0c5-0000-4000-8000-000000000602",
    client_id: "5a4db0c5-0000-4000-8000-000000000212",
};
/// Every registration that Graph shows.
pub const REGISTRATIONS: [Registration; 2] = [BROKER_REGISTRATION, PAYROLL];

/// The secret of [`AUTOMATION`]: a fixed one, as it opens nothing but this tenant.
pub const AUTOMATION_SECRET: &str = "sandbox-automation-secret";

/// An app role of the broker's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppRole {
    /// Its id.
    pub id: &'static str,
    /// What the `roles` claim says.
    pub value: &'static str,
    /// Object ids of those who hold it.
    pub held_by: &'static [&'static str],
}

/// The app roles of the broker's API, and who holds them.
pub const APP_ROLES: [AppRole; 3] = [
    AppRole {
        id: "5a4db0c5-0000-4000-8000-000000000401",
        value: "Elevate.PolicyAdmin",
        held_by: &[EVE.id, GRACE.id],
    },
    AppRole { id: "5a4db0c5-0000-4000-8000-000000000402", value: "Elevate.Auditor", held_by: &[EVE.id] },
    AppRole {
        id: "5a4db0c5-0000-4000-8000-000000000403",
        value: "Elevate.Revoker",
        held_by: &[EVE.id, AUTOMATION.object_id],
    },
];

/// A directory role, by its template id, which for built-in roles is its id as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its display name.
    pub name: &'static str,
    /// Its id.
    pub id: &'static str,
    /// Whether Microsoft made it.
    pub built_in: bool,
}

/// Global Administrator.
pub const GLOBAL_ADMINISTRATOR: Role = role("Global Administrator", "62e90394-69f5-4237-9190-012177145e10");
/// User Administrator.
pub const USER_ADMINISTRATOR: Role = role("User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1");
/// Groups Administrator.
pub const GROUPS_ADMINISTRATOR: Role = role("Groups Administrator", "fdd7a751-b60b-444a-984c-02652fe8fa1c");
/// Application Administrator.
pub const APPLICATION_ADMINISTRATOR: Role =
    role("Application Administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3");
/// Privileged Role Administrator.
pub const PRIVILEGED_ROLE_ADMINISTRATOR: Role =
    role("Privileged Role Administrator", "e8611ab8-c189-46e8-94e1-60213ab1f814");
/// Helpdesk Administrator.
pub const HELPDESK_ADMINISTRATOR: Role =
    role("Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8");
/// Security Administrator.
pub const SECURITY_ADMINISTRATOR: Role =
    role("Security Administrator", "194ae4cb-b126-40b2-bd5b-6091b380977d");
/// Security Reader.
pub const SECURITY_READER: Role = role("Security Reader", "5d6b6bb7-de71-4623-b4af-96380a352509");
/// Global Reader.
pub const GLOBAL_READER: Role = role("Global Reader", "f2ef992c-3afb-46b9-b7cf-a126ee74c451");
/// Exchange Administrator.
pub const EXCHANGE_ADMINISTRATOR: Role =
    role("Exchange Administrator", "29232cdf-9323-42fd-ade2-1d097af3e4de");
/// A role that this organisation made itself.
pub const CUSTOM_ROLE: Role = Role {
    name: "App credential keeper (custom)",
    id: "5a4db0c5-0000-4000-8000-000000000501",
    built_in: false,
};
/// Every role of the tenant.
pub const ROLES: [Role; 11] = [
    GLOBAL_ADMINISTRATOR,
    USER_ADMINISTRATOR,
    GROUPS_ADMINISTRATOR,
    APPLICATION_ADMINISTRATOR,
    PRIVILEGED_ROLE_ADMINISTRATOR,
    HELPDESK_ADMINISTRATOR,
    SECURITY_ADMINISTRATOR,
    SECURITY_READER,
    GLOBAL_READER,
    EXCHANGE_ADMINISTRATOR,
    CUSTOM_ROLE,
];

/// What the broker's application may do in Graph unless a test takes it away.
/// Group.ReadWrite.All is for owners: for them Graph knows nothing less.
pub const BROKER_PERMISSIONS: [&str; 13] = [
    "AdministrativeUnit.Read.All",
    "Application.Read.All",
    "Group.ReadWrite.All",
    "GroupMember.ReadWrite.All",
    "Organization.Read.All",
    "PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup",
    "PrivilegedEligibilitySchedule.Read.AzureADGroup",
    "RoleAssignmentSchedule.ReadWrite.Directory",
    "RoleEligibilitySchedule.Read.Directory",
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
    "User.Read.All",
    "User.RevokeSessions.All",
];

/// Finds one of [`EVERYBODY`] by short name, user principal name or object id.
#[must_use]
pub fn find(who: &str) -> Option<Person> {
    let short = who.strip_suffix(DOMAIN).and_then(|name| name.strip_suffix('@')).unwrap_or(who);
    EVERYBODY.into_iter().find(|person| person.name.eq_ignore_ascii_case(short) || person.id == who)
}

const fn person(name: &'static str, display_name: &'static str, id: &'static str) -> Person {
    Person { name, display_name, id }
}

const fn group(name: &'static str, id: &'static str) -> Group {
    Group { name, id, role_assignable: false, rule: None, synced: false, members: &[], owners: &[] }
}

const fn role(name: &'static str, id: &'static str) -> Role {
    Role { name, id, built_in: true }
}
