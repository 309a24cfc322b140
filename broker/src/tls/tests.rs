use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn made(year: i32) -> (String, String) {
    let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    wanted.not_after = rcgen::date_time_ymd(year, 3, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    (wanted.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn a_certificate_is_good_until_its_own_end_whatever_follows_it() {
    let files = Files::new();
    let (first, key) = made(2030);
    let (second, _) = made(2027);
    let chain = files.put("chain.pem", &format!("{key}{first}{second}"));
    assert_eq!(good_until(&chain).unwrap().to_string(), "2030-03-01T00:00:00Z");
}

#[test]
fn what_cannot_be_used_is_named() {
    let files = Files::new();
    let (certificate, key) = made(2030);
    let (_, other_key) = made(2030);
    let good = files.put("good.crt", &certificate);
    let good_key = files.put("good.key", &key);
    let other = files.put("other.key", &other_key);
    let empty = files.put("empty.pem", "");
    let none = files.folder.path().join("none.pem");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = files.put("broken.pem", broken);
    assert!(server(&good, &good_key, None).is_ok());
    assert!(server(&good, &good_key, Some(&good)).is_ok());
    for (certificate, key, client_ca, problem) in [
        (&none, &good_key, None, "none.pem cannot be read"),
        (&empty, &good_key, None, "empty.pem holds no certificate"),
        (&good, &empty, None, "empty.pem holds no private key"),
        (&good, &other, None, "do not go together"),
        (&good, &good_key, Some(&empty), "empty.pem holds no certificate"),
        (&good, &good_key, Some(&broken), "broken.pem holds an unusable certificate"),
    ] {
        let error = server(certificate, key, client_ca.map(PathBuf::as_path)).unwrap_err();
        assert!(format!("{error:#}").contains(problem), "{error:#}");
    }
    for (file, problem) in
        [(&empty, "no certificate"), (&broken, "cannot be read"), (&good_key, "no certificate")]
    {
        let error = good_until(file).unwrap_err();
        assert!(format!("{error:#}").contains(problem), "{error:#}");
    }
}

#[test]
fn only_tls_1_3_and_http_2_are_spoken() {
    let files = Files::new();
    let (certificate, key) = made(2030);
    let config = server(&files.put("a.crt", &certificate), &files.put("a.key", &key), None).unwrap();
    assert_eq!(config.alpn_protocols, [b"h2".to_vec()]);
}
