//! The authority against our own reader and, where it is installed, OpenSSL.

use std::{fs, path::Path, process::Command, time::Duration};

use super::*;

const NOW: Timestamp = Timestamp::from_unix_millis(1_763_000_000_123);
const DAY: Duration = Duration::from_secs(86_400);

fn org() -> OrgId {
    OrgId::v7(NOW, 10)
}

fn authority() -> (Authority, AuthorityPem) {
    Authority::create(Keys::system(), org(), NOW).unwrap()
}

#[test]
fn an_authority_that_was_kept_signs_as_before() {
    let (_, kept) = authority();
    let again = Authority::load(&kept.certificate_pem, &kept.key_pem.0).unwrap();
    assert_eq!(again.certificate_pem(), kept.certificate_pem);
    let issued = again.issue_device(org(), DeviceId::v7(NOW, 1), NOW, DAY).unwrap();
    let (_, root) = parse_x509_pem(kept.certificate_pem.as_bytes()).unwrap();
    let (_, leaf) = parse_x509_pem(issued.certificate_pem.as_bytes()).unwrap();
    let (root, leaf) = (root.parse_x509().unwrap(), leaf.parse_x509().unwrap());
    assert_eq!(leaf.issuer(), root.subject());
    assert!(may_sign(&root) && !may_sign(&leaf));
}

#[test]
fn what_is_no_authority_is_not_loaded() {
    let ((one, kept), (_, other)) = (authority(), authority());
    let leaf = one.issue_device(org(), DeviceId::v7(NOW, 1), NOW, DAY).unwrap();
    let rows = [
        (
            &kept.certificate_pem,
            &other.key_pem,
            "the authority's key does not belong to its certificate",
        ),
        (
            &leaf.certificate_pem,
            &leaf.key_pem,
            "the certificate is of a server or a device, and cannot sign others",
        ),
        (
            &kept.key_pem.0,
            &kept.key_pem,
            "the authority's certificate is not a readable PEM certificate",
        ),
        (
            &kept.certificate_pem,
            &Redacted(String::new()),
            "the authority's key is not a readable PKCS #8 key",
        ),
    ];
    for (certificate, key, message) in rows {
        let error = Authority::load(certificate, &key.0).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_server_has_a_name_that_a_certificate_can_carry() {
    let (authority, _) = authority();
    let issue = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        authority.issue_server(&names, NOW, DAY)
    };
    assert!(issue(&["localhost", "127.0.0.1", "::1", "ward-7.hospital.example"]).is_ok());
    for wrong in [&[][..], &[""], &["ward 7"], &["localhost", "büro"]] {
        assert!(matches!(issue(wrong), Err(CaError::Name(_))), "{wrong:?}");
    }
}

#[test]
fn a_key_is_not_printed() {
    let (authority, kept) = authority();
    let issued = authority.issue_device(org(), DeviceId::v7(NOW, 1), NOW, DAY).unwrap();
    for text in [format!("{kept:?}"), format!("{issued:?}")] {
        assert!(text.contains("‹redacted›") && !text.contains("PRIVATE"), "{text}");
    }
}

/// Whether OpenSSL takes the leaf for this purpose at [`NOW`]; its words go into the failure.
fn openssl(folder: &Path, leaf: &str, purpose: &str) -> Option<(bool, String)> {
    fs::write(folder.join("leaf.pem"), leaf).unwrap();
    let at = (NOW.unix_millis() / 1_000).to_string();
    let out = Command::new("openssl")
        .args(["verify", "-x509_strict", "-attime", &at, "-purpose", purpose])
        .arg("-CAfile")
        .arg(folder.join("root.pem"))
        .arg(folder.join("leaf.pem"))
        .output()
        .ok()?;
    Some((out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned()))
}

#[test]
fn openssl_takes_each_certificate_for_its_purpose_and_no_other() {
    let (authority, kept) = authority();
    let folder = std::env::temp_dir().join(format!("ca-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("root.pem"), &kept.certificate_pem).unwrap();
    let device = authority.issue_device(org(), DeviceId::v7(NOW, 1), NOW, DAY).unwrap();
    let server = authority.issue_server(&["localhost".to_owned()], NOW, DAY).unwrap();
    let rows = [
        (&device, "sslclient", true),
        (&device, "sslserver", false),
        (&server, "sslserver", true),
        (&server, "sslclient", false),
    ];
    for (leaf, purpose, expected) in rows {
        let Some((taken, words)) = openssl(&folder, &leaf.certificate_pem, purpose) else { break };
        assert_eq!(taken, expected, "{purpose}: {words}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
