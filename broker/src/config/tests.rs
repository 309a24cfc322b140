//! What a configuration may say, what it need not, and every fault at once.

use super::*;

const LEAST: &str = r#"
[server]
listen = "0.0.0.0:8443"
certificate = "server.crt"
key = "/etc/elevate/server.key"
[tenant]
id = "72f988bf-86f1-41af-91ab-2d7cd011db47"
[identity]
audience = "071cc716-8147-4397-a5ba-b2105951cc0b"
client_id = "9f2b7d0e-0000-4397-a5ba-b2105951cc0b"
[graph]
client_id = "071cc716-8147-4397-a5ba-b2105951cc0b"
certificate = "graph.crt"
key = "graph.key"
[store]
folder = "record"
"#;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, Faults> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(text, Path::new("/etc/elevate"), environment)
}

fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    match read(text, environment) {
        Ok(config) => panic!("no fault in {config:?}"),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// The least, with a line of one section replaced or added.
fn with(section: &str, key: &str, value: &str) -> String {
    let is_old = |line: &&str| !line.starts_with(&format!("{key} ="));
    let mut inside = false;
    let mut text = String::new();
    for line in LEAST.lines() {
        let opens = line.starts_with('[');
        inside = if opens { line == format!("[{section}]") } else { inside };
        if !inside || is_old(&line) {
            text += &format!("{line}\n");
        }
        if opens && inside {
            text += &format!("{key} = {value}\n");
        }
    }
    if !text.contains(&format!("[{section}]")) {
        text += &format!("[{section}]\n{key} = {value}\n");
    }
    text
}

#[test]
fn what_is_not_said_has_its_usual_value() {
    let config = read(LEAST, &[]).unwrap();
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8443");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.server.certificate, Path::new("/etc/elevate/server.crt"));
    assert_eq!(config.server.key, Path::new("/etc/elevate/server.key"));
    assert_eq!((config.server.client_ca, config.server.reflection), (None, false));
    assert_eq!(config.tenant.issuer.as_str(), format!("https://login.microsoftonline.com/{tenant}/v2.0"));
    assert_eq!(config.tenant.ca, None);
    let graph = &config.graph;
    assert_eq!(graph.url.as_str(), "https://graph.microsoft.com/v1.0");
    assert_eq!(graph.scope, "https://graph.microsoft.com/.default");
    let Credential::Application { client_id, token_url, proof: Proof::Certificate { certificate, key } } =
        &graph.credential
    else {
        panic!("{:?}", graph.credential)
    };
    assert_eq!(client_id.to_string(), "071cc716-8147-4397-a5ba-b2105951cc0b");
    assert_eq!(token_url.as_str(), format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"));
    assert_eq!(
        (certificate.as_path(), key.as_path()),
        (Path::new("/etc/elevate/graph.crt"), Path::new("/etc/elevate/graph.key"))
    );
    let identity = &config.identity;
    assert_eq!(identity.required_scope, "access_as_user");
    assert_eq!(
        identity.sign_in_scope,
        "api://071cc716-8147-4397-a5ba-b2105951cc0b/access_as_user openid profile offline_access"
    );
    let claims = [&identity.tenant_claim, &identity.object_claim, &identity.token_id_claim];
    assert_eq!(claims, ["tid", "oid", "uti"]);
    let roles = [&identity.policy_admin_role, &identity.auditor_role, &identity.revoker_role];
    assert_eq!(roles, ["Elevate.PolicyAdmin", "Elevate.Auditor", "Elevate.Revoker"]);
    assert!(identity.further_clients.is_empty() && !identity.device_code);
    assert_eq!(config.store.folder, Path::new("/etc/elevate/record"));
    let Limits { calls_per_minute, calls_per_second, connections, calls_per_connection } = config.limits;
    assert_eq!((calls_per_minute.get(), calls_per_second.get()), (300, 1000));
    assert_eq!((connections, calls_per_connection), (1000, 64));
    assert_eq!((config.log.filter.as_str(), config.log.json), ("info", true));
}

#[test]
fn an_empty_one_names_everything_it_lacks() {
    let found = faults("", &[]);
    for lacking in [
        "`server.listen` is missing",
        "`server.certificate` is missing",
        "`server.key` is missing",
        "`tenant.id` is missing",
        "`identity.audience` is missing",
        "`identity.client_id` is missing",
        "`graph.client_id` is missing",
        "`graph` needs exactly one credential: `certificate` with `key`, `federated_token_file`, `managed_identity`, or \
         (last) `secret_file`",
        "`store.folder` is missing",
    ] {
        assert!(found.iter().any(|fault| fault.ends_with(lacking)), "{lacking}: {found:#?}");
    }
    assert_eq!(found.len(), 9, "{found:#?}");
}

#[test]
fn all_faults_are_told_at_once_with_their_lines() {
    let text =
        LEAST.replace("0.0.0.0:8443", "everywhere").replace("folder =", "directory =") + "[limit]\nx = 1\n";
    let found = faults(&text, &[("ELEVATE_LOG_FORMAT", "xml"), ("ELEVATE_LIMIT_CALLS", "9")]);
    let places: Vec<_> = found.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    assert!(places.contains(&"line 3"), "{found:#?}");
    assert!(places.contains(&"ELEVATE_LOG_FORMAT"), "{found:#?}");
    assert!(places.contains(&"ELEVATE_LIMIT_CALLS"), "{found:#?}");
    for word in ["directory", "store.folder", "limit"] {
        assert!(found.iter().any(|fault| fault.contains(word)), "{word}: {found:#?}");
    }
    assert!(found.len() >= 6, "{found:#?}");
}

#[test]
fn each_setting_has_its_bounds() {
    // (section, key, value, whether it is taken)
    for (section, key, value, is_good) in [
        ("server", "admin_listen", "\"127.0.0.1:1\"", true),
        ("server", "admin_listen", "\"[::1]:1\"", true),
        ("server", "admin_listen", "\"0.0.0.0:9464\"", false),
        ("server", "admin_listen", "\"10.0.0.1:9464\"", false),
        ("server", "reflection", "true", true),
        ("server", "reflection", "\"yes\"", false),
        ("tenant", "id", "\"contoso.example\"", false),
        ("tenant", "issuer", "\"https://login.example/x/v2.0\"", true),
        ("tenant", "issuer", "\"http://login.example/x/v2.0\"", false),
        ("tenant", "issuer", "\"https://login.example/x\"", false),
        ("identity", "client_id", "\"071cc716-8147-4397-a5ba-b2105951cc0b\"", false),
        ("identity", "required_scope", "\"two words\"", false),
        ("identity", "tenant_claim", "\"\"", false),
        ("identity", "further_clients", "[\"x\"]", false),
        ("identity", "device_code", "true", true),
        ("identity", "device_code", "\"on\"", false),
        ("graph", "url", "\"https://graph.example/v1.0/\"", true),
        ("graph", "url", "\"http://graph.example/v1.0\"", false),
        ("graph", "secret_file", "\"secret\"", false),
        ("limits", "calls_per_minute", "1", true),
        ("limits", "calls_per_minute", "0", false),
        ("limits", "calls_per_minute", "-1", false),
        ("limits", "calls_per_minute", "1000001", false),
        ("limits", "connections", "100001", false),
        ("limits", "calls_per_connection", "1001", false),
        ("limits", "calls_per_hour", "5", false),
        ("log", "format", "\"text\"", true),
        ("log", "format", "\"xml\"", false),
        ("log", "filter", "\"info,elevate_broker::graph=debug\"", true),
        ("log", "filter", "\"a=b=c\"", false),
    ] {
        let read = read(&with(section, key, value), &[]);
        assert_eq!(read.is_ok(), is_good, "{section}.{key} = {value}: {read:?}");
        if let Err(faults) = read {
            assert!(faults.iter().all(|fault| fault.place.starts_with("line ")), "{faults}");
        }
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let config = read(
        LEAST,
        &[
            ("ELEVATE_LIMITS_CALLS_PER_MINUTE", "7"),
            ("ELEVATE_SERVER_REFLECTION", "true"),
            ("ELEVATE_STORE_FOLDER", "/var/lib/elevate"),
            ("ELEVATE_IDENTITY_FURTHER_CLIENTS", "9f2b7d0e-0000-4397-a5ba-b2105951cc0c"),
            ("ELEVATE_LOG_FORMAT", "text"),
            ("PATH", "/bin"),
            ("ELEVATE_BROKER", "the command line's"),
            ("ELEVATE_CONFIG_DIR", "likewise"),
            ("ELEVATE_TOKEN_STORE", "likewise"),
        ],
    )
    .unwrap();
    assert_eq!(config.limits.calls_per_minute.get(), 7);
    assert!(config.server.reflection && !config.log.json);
    assert_eq!(config.store.folder, Path::new("/var/lib/elevate"));
    assert_eq!(config.identity.further_clients.len(), 1);
}

#[test]
fn what_is_not_known_in_the_environment_is_a_fault() {
    for (name, value) in [
        ("ELEVATE_LIMIT_CALLS_PER_MINUTE", "7"),
        ("ELEVATE_LIMITS_CALLS_PER_HOUR", "7"),
        ("ELEVATE_LIMITS_CALLS_PER_MINUTE", "many"),
        ("ELEVATE_SERVER", "x"),
        ("ELEVATE_", "x"),
        ("ELEVATE_SERVER_ADMIN_LISTEN", "0.0.0.0:1"),
    ] {
        let found = faults(LEAST, &[(name, value)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{name}: ")), "{found:?}");
    }
}

#[test]
fn an_address_is_https_and_as_it_is_written() {
    for (text, kept) in [
        ("https://graph.microsoft.com/v1.0", Some("https://graph.microsoft.com/v1.0")),
        ("https://localhost:8443/", Some("https://localhost:8443")),
        ("http://graph.microsoft.com", None),
        ("HTTPS://graph.microsoft.com", None),
        ("graph.microsoft.com", None),
        ("https://", None),
        ("https://me@graph.microsoft.com", None),
        ("https://:secret@graph.microsoft.com", None),
        ("https://graph.microsoft.com?x=1", None),
        ("https://graph.microsoft.com#x", None),
        (" https://graph.microsoft.com", None),
        ("https://graph.microsoft.com/ ", None),
        ("https://graph.micro\nsoft.com", None),
        ("https:\\\\graph.microsoft.com", None),
    ] {
        let read = text.parse::<HttpsUrl>();
        assert_eq!(read.as_ref().map(HttpsUrl::as_str).ok(), kept, "{text:?}");
    }
}

/// The least, with these lines in place of the certificate and its key.
fn by(lines: &str) -> String {
    LEAST.replace("certificate = \"graph.crt\"\nkey = \"graph.key\"", lines)
}

const UAMI: &str = "1b4e28ba-2fa1-4d12-883f-b9a761bde3fb";

#[test]
fn one_file_alone_is_a_credential_too() {
    let proof = |lines: &str| match read(&by(lines), &[]).unwrap().graph.credential {
        Credential::Application { proof, .. } => proof,
        other @ Credential::ManagedIdentity(_) => panic!("{other:?}"),
    };
    let secret = proof("secret_file = \"secret\"");
    assert!(matches!(secret, Proof::Secret { file } if file == Path::new("/etc/elevate/secret")));
    let federated = proof("federated_token_file = \"/var/run/secrets/tokens/elevated\"");
    let wanted = Path::new("/var/run/secrets/tokens/elevated");
    assert!(matches!(federated, Proof::Federated { file } if file == wanted));
}

#[test]
fn exactly_one_credential_is_taken() {
    let kinds = [
        "certificate = \"a\"\nkey = \"b\"",
        "federated_token_file = \"c\"",
        "managed_identity = \"system\"",
        "secret_file = \"d\"",
    ];
    for one in kinds {
        assert!(read(&by(one), &[]).is_ok(), "{one}");
        for other in kinds.iter().filter(|other| **other != one) {
            let found = faults(&by(&format!("{one}\n{other}")), &[]);
            assert!(found[0].contains("needs exactly one credential"), "{one} {other}: {found:?}");
        }
    }
    for half in ["certificate = \"a\"", "key = \"b\"", ""] {
        assert_eq!(faults(&by(half), &[]).len(), 1, "{half}");
    }
    let found = faults(LEAST, &[("ELEVATE_GRAPH_SECRET_FILE", "/run/secret")]);
    assert!(found[0].contains("needs exactly one credential"), "{found:?}");
}

#[test]
fn a_managed_identity_needs_no_registration_and_no_token_address() {
    let host = |lines: &str, environment: &[(&str, &str)]| {
        let text =
            by(lines).replace("client_id = \"071cc716-8147-4397-a5ba-b2105951cc0b\"\nmanaged", "managed");
        match read(&text, environment).unwrap().graph.credential {
            Credential::ManagedIdentity(host) => host,
            other @ Credential::Application { .. } => panic!("{other:?}"),
        }
    };
    let system = host("managed_identity = \"system\"", &[]);
    assert_eq!((system.user_assigned, system.client_id), (None, None));
    assert!(
        matches!(&system.source, IdentitySource::Machine(url) if url.url().as_str() == "http://169.254.169.254/metadata/identity/oauth2/token")
    );
    let named = host(&format!("managed_identity = \"{UAMI}\""), &[]);
    assert_eq!(named.user_assigned, Some(UAMI.parse().unwrap()));
    let told = host("managed_identity = \"system\"\nmanaged_identity_url = \"http://127.0.0.1:5/x\"", &[]);
    assert!(
        matches!(&told.source, IdentitySource::Machine(url) if url.url().as_str() == "http://127.0.0.1:5/x")
    );

    let platform =
        [("IDENTITY_ENDPOINT", "http://localhost:42356/msi/token"), ("IDENTITY_HEADER", "853b9a84")];
    let app = host("managed_identity = \"system\"", &platform);
    assert!(
        matches!(&app.source, IdentitySource::Platform { endpoint, .. } if endpoint.url().as_str() == "http://localhost:42356/msi/token")
    );
    assert!(!format!("{app:?}").contains("853b9a84"), "{app:?}");
    let certificate = read(LEAST, &platform).unwrap().graph.credential;
    assert!(
        matches!(certificate, Credential::Application { .. }),
        "what nobody asked for counts for nothing"
    );
}

#[test]
fn what_cannot_be_with_a_managed_identity_is_a_fault() {
    let both = format!("managed_identity = \"{UAMI}\"");
    for (lines, environment, wanted) in [
        ("managed_identity = \"mine\"", &[][..], "neither `system` nor the client id"),
        (
            "managed_identity = \"system\"\ntoken_url = \"https://login.example/token\"",
            &[],
            "is of no use with `managed_identity`",
        ),
        (&both, &[], "is another one than `managed_identity` names"),
        (
            "managed_identity = \"system\"\nmanaged_identity_url = \"https://127.0.0.1/x\"",
            &[],
            "is not an address of this host that begins with http://",
        ),
        (
            "managed_identity = \"system\"\nmanaged_identity_url = \"http://10.0.0.1/x\"",
            &[],
            "is not an address of this host that begins with http://",
        ),
        (
            "managed_identity = \"system\"\nmanaged_identity_url = \"http://169.254.169.254/x\"",
            &[],
            "must be a loopback address",
        ),
        (
            "secret_file = \"x\"\nmanaged_identity_url = \"http://127.0.0.1/x\"",
            &[],
            "is of use with `managed_identity` only",
        ),
        (
            "managed_identity = \"system\"",
            &[("IDENTITY_ENDPOINT", "http://localhost:40342/metadata/identity/oauth2/token")],
            "is there without IDENTITY_HEADER",
        ),
        (
            "managed_identity = \"system\"",
            &[("IDENTITY_ENDPOINT", "http://identity.example/token"), ("IDENTITY_HEADER", "x")],
            "is not an address of this host",
        ),
        (
            "managed_identity = \"system\"",
            &[
                ("IDENTITY_ENDPOINT", "https://localhost:2377/x"),
                ("IDENTITY_HEADER", "x"),
                ("IDENTITY_SERVER_THUMBPRINT", "x"),
            ],
            "is Service Fabric's",
        ),
    ] {
        let found = faults(&by(lines), environment);
        assert!(found.len() == 1 && found[0].contains(wanted), "{lines}: {found:#?}");
    }
}

/// The least, and a ticket system.
fn with_tickets(lines: &str) -> String {
    format!("{LEAST}\n[tickets.changes]\n{lines}\n")
}

/// Where a ticket's number and its state stand.
const POINTERS: &str = "number_pointer = \"/number\"\nstate_pointer = \"/state\"";

#[test]
fn a_ticket_system_is_asked_or_read_over_a_connection_that_nobody_listens_to() {
    let lookup = |url: &str| format!("url = \"{url}\"\n{POINTERS}\naccepted = [\"open\"]");
    let number = |more: &str| format!("url = \"https://changes.example/{{number}}\"\n{more}");
    for (lines, is_good) in [
        ("url = \"https://changes.example/check\"", true),
        ("url = \"https://changes.example/check?flow=7\"", true),
        ("url = \"https://127.0.0.1:9/check\"", true),
        ("url = \"http://127.0.0.1:9/check\"", false),
        ("url = \"http://changes.example/check\"", false),
        ("url = \"ftp://changes.example/check\"", false),
        ("url = \"https://user:word@changes.example/check\"", false),
        ("url = \"https://changes.example/check#part\"", false),
        ("url = \"https://changes.example/{number}\"", false),
        ("", false),
        (&lookup("https://changes.example/t/{number}"), true),
        (&lookup("https://changes.example/t?n={number}&x=1"), true),
        // A ticket's number must not choose whom we ask.
        (&lookup("https://{number}.example/t"), false),
        (&lookup("https://changes.example:{number}/t"), false),
        (&lookup("https://changes.example/t"), false),
        (&number("accepted = [\"open\"]"), false),
        (&number(POINTERS), false),
        (&number("state_pointer = \"/state\"\naccepted = [\"open\"]"), false),
        (&number("number_pointer = \"/number\"\naccepted = [\"open\"]"), false),
        (&number("number_pointer = \"number\"\nstate_pointer = \"/state\"\naccepted = [\"open\"]"), false),
        (&number("number_pointer = \"/number\"\nstate_pointer = \"state\"\naccepted = [\"open\"]"), false),
        (&number(&format!("{POINTERS}\naccepted = []")), false),
        ("url = \"https://changes.example/c\"\ndeadline = \"2s\"", true),
        ("url = \"https://changes.example/c\"\ndeadline = \"0s\"", false),
        ("url = \"https://changes.example/c\"\ndeadline = \"21s\"", false),
        ("url = \"https://changes.example/c\"\nsecret_file = \"s\"\nsecret_as = \"basic\"", true),
        ("url = \"https://changes.example/c\"\nsecret_file = \"s\"\nsecret_as = \"cookie\"", false),
        ("url = \"https://changes.example/c\"\nsecret_as = \"basic\"", false),
        ("url = \"https://changes.example/c\"\nretries = 3", false),
    ] {
        let read = read(&with_tickets(lines), &[]);
        assert_eq!(read.is_ok(), is_good, "{lines}: {read:?}");
    }
    assert!(read(&format!("{LEAST}\n[tickets.Changes]\nurl = \"https://a.example/\"\n"), &[]).is_err());
    assert!(read(&format!("{LEAST}\n[tickets]\nchanges = \"https://a.example/\"\n"), &[]).is_err());
    let two = format!(
        "{}[tickets.more]\nurl = \"https://a.example/\"\n",
        with_tickets("url = \"https://b.example/\"")
    );
    let names: Vec<_> =
        read(&two, &[]).unwrap().tickets.iter().map(|system| system.name.to_string()).collect();
    assert_eq!(names, ["changes", "more"]);
}
