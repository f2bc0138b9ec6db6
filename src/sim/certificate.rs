//! The certificate of a venue that exists for one run: an authority, and a leaf for this machine.
//!
//! The private keys never leave the process. Clients add the authority as one more root; nothing has to
//! turn checking off.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer};
use rcgen::{KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// A server configuration and the root that vouches for it.
pub struct Identity {
    /// What the server presents.
    pub config: Arc<ServerConfig>,
    /// The authority's certificate as PEM text, for clients.
    pub ca_pem: String,
}

fn wrong(what: &'static str) -> impl FnOnce(rcgen::Error) -> String {
    move |error| format!("{what}: {error}")
}

/// Makes an identity for `localhost`, `127.0.0.1` and `::1`.
///
/// # Errors
///
/// A sentence when a key or certificate cannot be made.
pub fn make() -> Result<Identity, String> {
    let mut authority = CertificateParams::new(Vec::default()).map_err(wrong("authority"))?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "tezi simulated authority");
    let authority_key = KeyPair::generate().map_err(wrong("authority key"))?;
    let root = authority
        .self_signed(&authority_key)
        .map_err(wrong("authority"))?;
    let issuer = Issuer::new(authority, authority_key);

    let names = ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    let mut leaf = CertificateParams::new(names).map_err(wrong("leaf"))?;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.distinguished_name
        .push(DnType::CommonName, "tezi simulated venue");
    let key = KeyPair::generate().map_err(wrong("leaf key"))?;
    let cert = leaf.signed_by(&key, &issuer).map_err(wrong("leaf"))?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS versions: {error}"))?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .map_err(|error| format!("TLS certificate: {error}"))?;
    Ok(Identity {
        config: Arc::new(config),
        ca_pem: root.pem(),
    })
}
