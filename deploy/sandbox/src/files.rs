//! The tenant's folder: its certificate authority, and what a broker needs to sign in and to serve.
//!
//! What is there already is used again, so a broker or a browser that once trusted `ca.pem` still does after
//! a restart. Keys and the secret are readable by their owner only.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, RsaKeySize,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::Clock;

/// The authority's certificate: what a client must trust.
pub const CA: &str = "ca.pem";
/// The authority's key.
pub const CA_KEY: &str = "ca.key";
/// The certificate that the broker signs in to Entra with.
pub const CREDENTIAL: &str = "broker-credential.pem";
/// Its RSA key.
pub const CREDENTIAL_KEY: &str = "broker-credential.key";
/// The secret that the broker may sign in with instead.
pub const SECRET: &str = "broker-secret";
/// The secret that the ticket system knows the broker by.
pub const TICKETS_SECRET: &str = "tickets-secret";
/// A server certificate for the broker itself, for `localhost` and `127.0.0.1`.
pub const TLS: &str = "broker-tls.pem";
/// Its key.
pub const TLS_KEY: &str = "broker-tls.key";

/// Ten years, as authorities have.
const CA_YEARS: i32 = 10;
/// Some platforms refuse a server certificate that is valid for longer than 398 days.
const LEAF_DAYS: i32 = 397;

/// The folder and what the tenant itself needs of it.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    pub(crate) ca_file: PathBuf,
    pub(crate) ca_pem: String,
    /// The broker's certificate as registered.
    pub(crate) credential: CertificateDer<'static>,
    /// The broker's secret as registered.
    pub(crate) secret: String,
    /// The broker's secret with the ticket system.
    pub(crate) tickets_secret: String,
    authority: Authority,
}

impl Files {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot create the folder `{}`", folder.display()))?;
        let authority = Authority::open(folder)?;
        authority.issue_into(folder, TLS, TLS_KEY, "Elevate sandbox broker")?;
        let credential = credential(folder)?;
        let [secret, tickets_secret] = [secret(folder, SECRET)?, secret(folder, TICKETS_SECRET)?];
        let ca_file = folder.join(CA);
        let ca_pem = read(&ca_file)?;
        Ok(Self { folder: folder.to_owned(), ca_file, ca_pem, credential, secret, tickets_secret, authority })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A certificate and key for the tenant's own server; it needs no file.
    pub(crate) fn server(&self) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
        let (certificate, key) = self.authority.issue("Elevate sandbox tenant")?;
        Ok((certificate.der().clone(), key.into()))
    }
}

/// A secret in a file, made up where there is none.
fn secret(folder: &Path, name: &str) -> Result<String> {
    let file = folder.join(name);
    if file.exists() {
        return read(&file);
    }
    let secret = format!("sandbox~{}", uuid::Uuid::new_v4().simple());
    write_private(&file, &secret)?;
    Ok(secret)
}

/// What signs certificates.
#[derive(Debug)]
struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn open(folder: &Path) -> Result<Self> {
        let (certificate, key_file) = (folder.join(CA), folder.join(CA_KEY));
        let params = Self::params()?;
        if certificate.exists() && key_file.exists() {
            let key = KeyPair::from_pem(&read(&key_file)?)
                .with_context(|| format!("`{}` holds no key; delete the folder", key_file.display()))?;
            return Ok(Self { issuer: Issuer::new(params, key) });
        }
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        write_private(&key_file, &key.serialize_pem())?;
        // Leaves of an older authority are worth nothing from here on.
        for leaf in [TLS, TLS_KEY] {
            let _ = fs::remove_file(folder.join(leaf));
        }
        write(&certificate, &pem)?;
        Ok(Self { issuer: Issuer::new(params, key) })
    }

    // The name is part of what a reopened authority must get right: leaves name their issuer by it.
    fn params() -> Result<CertificateParams> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = name("Elevate sandbox authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, CA_YEARS * 365)?;
        Ok(params)
    }

    fn issue(&self, common_name: &str) -> Result<(rcgen::Certificate, KeyPair)> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.distinguished_name = name(common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, LEAF_DAYS)?;
        Ok((params.signed_by(&key, &self.issuer)?, key))
    }

    // Issued anew at every start, so that it never runs out; a broker that still serves the one before is fine.
    fn issue_into(&self, folder: &Path, pem: &str, key_file: &str, common_name: &str) -> Result<()> {
        let (certificate, key) = self.issue(common_name)?;
        write_private(&folder.join(key_file), &key.serialize_pem())?;
        write(&folder.join(pem), &certificate.pem())
    }
}

/// The certificate registered on the broker's application: self-signed, as most are, and RSA, as PS256 needs.
fn credential(folder: &Path) -> Result<CertificateDer<'static>> {
    let (pem, key_file) = (folder.join(CREDENTIAL), folder.join(CREDENTIAL_KEY));
    if !pem.exists() || !key_file.exists() {
        let key = credential_key()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = name("Elevate broker credential");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        valid(&mut params, LEAF_DAYS)?;
        write_private(&key_file, &key.serialize_pem())?;
        write(&pem, &params.self_signed(&key)?.pem())?;
    }
    CertificateDer::from_pem_file(&pem).with_context(|| format!("`{}` holds no certificate", pem.display()))
}

/// Every folder that this process makes gets the same key, for the reason that [`crate::keys`] gives.
fn credential_key() -> Result<KeyPair> {
    static MADE: Mutex<Option<String>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pem) = &*made {
        return Ok(KeyPair::from_pem_and_sign_algo(pem, &rcgen::PKCS_RSA_SHA256)?);
    }
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    *made = Some(key.serialize_pem());
    Ok(key)
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Elevate sandbox");
    name.push(DnType::CommonName, common_name);
    name
}

/// From yesterday on: the machines that look at it need not agree on the time of day. By the machine's clock,
/// never the tenant's, because whoever checks a certificate has only that.
fn valid(params: &mut CertificateParams, days: i32) -> Result<()> {
    let today = Clock::system().now().to_zoned(TimeZone::UTC).date();
    let day = |date: Date| {
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(today.yesterday()?);
    params.not_after = day(today.checked_add(days.days())?);
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))
}

fn write_private(file: &Path, text: &str) -> Result<()> {
    // A file that exists would keep its own mode.
    let _ = fs::remove_file(file);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", file.display()))
}
