//! What somebody might hope for.

use super::super::*;
use super::BOB;

/// Values of claims and members of a header, and what might be tried in place of a key.
pub(super) struct Pools {
    pub(super) claims: Vec<(&'static str, Vec<String>)>,
    pub(super) header: Vec<(&'static str, Vec<String>)>,
    pub(super) unsigned: Vec<String>,
    pub(super) secrets: Vec<Vec<u8>>,
}

impl Pools {
    pub(super) fn new(nonces: &[String]) -> Self {
        let texts = |values: &[&str]| values.iter().map(|value| json!(value).to_string()).collect::<Vec<_>>();
        let issuers =
            [issuer(), format!("{}/", issuer()), issuer().to_uppercase(), issuer().replace(TENANT, OTHER)];
        let mut times: Vec<String> = [-3600, -306, -305, -304, -301, -300, -299, -1, 0, 1, 4, 5, 6, 3600]
            .iter()
            .map(|seconds| (START + seconds).to_string())
            .collect();
        times.extend(
            ["0", "-1", "1e400", "1.8e9", "18446744073709551615", "true", "1800000100.5"].map(str::to_owned),
        );
        times.push(format!("\"{}\"", START + 100));
        let mut nonces: Vec<_> = nonces
            .iter()
            .flat_map(|nonce| {
                [
                    json!(nonce),
                    json!(nonce.to_lowercase()),
                    json!(format!("{nonce}=")),
                    json!(format!(" {nonce}")),
                ]
            })
            .map(|value| value.to_string())
            .collect();
        nonces.extend(texts(&["", "n"]));
        let kinds =
            ["[]", "{}", "1", "true", "\"\"", "\"x\"", "[\"x\"]", "[1]", "[[\"mfa\"]]"].map(str::to_owned);
        let with = |mut values: Vec<String>| {
            values.extend(kinds.iter().cloned());
            values
        };
        let long = "a".repeat(3000);
        let claims = vec![
            ("iss", with(texts(&issuers.each_ref().map(String::as_str)))),
            (
                "aud",
                with(texts(&[BROKER, CLIENT, OTHER, &BROKER.to_uppercase(), &format!("api://{BROKER}")])),
            ),
            (
                "tid",
                with(texts(&[TENANT, OTHER, &TENANT.to_uppercase(), "common", &TENANT.replace('-', "")])),
            ),
            (
                "oid",
                with(texts(&[
                    ANN,
                    OTHER,
                    BOB,
                    &ANN.to_uppercase(),
                    &format!("{ANN} "),
                    &ANN.replace('-', ""),
                ])),
            ),
            ("sub", with(texts(&[ANN, OTHER, BOB, "pairwise"]))),
            ("uti", with(texts(&["uti-9", "a b", &"u".repeat(129), "é"]))),
            ("ver", with(texts(&["1.0", "2.0", "2", "2.0 "]))),
            ("exp", with(times.clone())),
            ("nbf", with(times.clone())),
            ("iat", with(times.clone())),
            ("auth_time", with(times)),
            ("azp", with(texts(&[CLIENT, BROKER, OTHER]))),
            (
                "scp",
                with(texts(&[
                    "access_as_user",
                    "User.Read access_as_user",
                    "Access_as_user",
                    "access_as_user2",
                    &long,
                ])),
            ),
            ("idtyp", with(texts(&["app", "user", "App"]))),
            ("appid", with(texts(&[CLIENT]))),
            ("acct", vec!["0".to_owned(), "1".to_owned()]),
            (
                "roles",
                with(vec![
                    json!(["Elevate.PolicyAdmin", "Elevate.Revoker"]).to_string(),
                    json!(["elevate.policyadmin", " Elevate.Revoker"]).to_string(),
                    json!("Elevate.PolicyAdmin").to_string(),
                    json!(vec!["Elevate.Revoker"; 65]).to_string(),
                    json!(["Elevate.Revoker", 7]).to_string(),
                ]),
            ),
            ("nonce", with(nonces)),
            (
                "amr",
                with(vec![
                    json!(["mfa"]).to_string(),
                    json!(["pwd"]).to_string(),
                    json!(["MFA"]).to_string(),
                    json!("mfa").to_string(),
                    json!(vec!["mfa"; 33]).to_string(),
                    json!(["mfa", "x".repeat(65)]).to_string(),
                ]),
            ),
            (
                "acrs",
                with(vec![json!(["c1"]).to_string(), json!(["c2"]).to_string(), json!("c1").to_string()]),
            ),
            ("at_hash", texts(&["x"])),
            ("groups", vec!["[]".to_owned(), "{\"a\":1,\"a\":2}".to_owned()]),
        ];
        let header = vec![
            (
                "alg",
                with(texts(&[
                    "none", "None", "HS256", "RS256", "PS256", "ES256", "RS512", "ES384", "rs256", "EdDSA",
                ])),
            ),
            (
                "kid",
                with(texts(&[
                    "rsa",
                    "pinned",
                    "ec",
                    "attacker",
                    "EC",
                    "../../etc/passwd",
                    "ec'--",
                    &"k".repeat(129),
                ])),
            ),
            ("typ", with(texts(&["JWT", "at+jwt", "jwt", "JWE", "application/at+jwt"]))),
            ("jwk", vec![rsa_key("ec", &OTHER_RSA).to_string(), "null".to_owned()]),
            ("jku", texts(&["https://evil.example/keys"])),
            ("x5u", texts(&["https://evil.example/cert"])),
            ("x5c", vec!["[\"MIIC\"]".to_owned()]),
            ("x5t", texts(&["x"])),
            ("crit", vec!["[]".to_owned(), "[\"exp\"]".to_owned(), "[\"b64\"]".to_owned()]),
            ("b64", vec!["false".to_owned(), "true".to_owned()]),
            ("zip", texts(&["DEF"])),
            ("enc", texts(&["A256GCM"])),
            ("cty", texts(&["JWT"])),
            ("unheard-of", vec!["1".to_owned()]),
        ];
        let unsigned = ["none", "None", "NONE", "nOnE", "", "HS256", "RS256"]
            .map(|name| json!({"alg": name, "kid": "ec", "typ": "JWT"}).to_string())
            .to_vec();
        let der = RSA.public_key().as_ref().to_vec();
        let point = EC.public_key().as_ref().to_vec();
        let modulus = RSA.public_key().modulus().big_endian_without_leading_zero().to_vec();
        let secrets = vec![
            der.clone(),
            b64(der).into_bytes(),
            point,
            modulus.clone(),
            b64(modulus).into_bytes(),
            rsa_key("rsa", &RSA).to_string().into_bytes(),
            ec_key("ec").to_string().into_bytes(),
            b"ec".to_vec(),
        ];
        Self { claims, header, unsigned, secrets }
    }
}
