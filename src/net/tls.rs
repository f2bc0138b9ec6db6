//! TLS with certificate checking that cannot be turned off.

use super::NetFault;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Builds the client side: the web's roots plus any root given in `extra`, TLS 1.3 or 1.2.
///
/// AES-128-GCM is preferred: it is what processors accelerate (ChaCha20 costs 2.5 times as much there).
///
/// # Errors
///
/// [`NetFault::Roots`] when a file of roots is missing, empty or not PEM.
pub fn client_config(extra: Option<&Path>) -> Result<Arc<ClientConfig>, NetFault> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(file) = extra {
        let bad = |why: String| NetFault::Roots {
            file: file.display().to_string(),
            why,
        };
        let certificates = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| bad(format!("{e}; a PEM file of certificates is expected")))?;
        if certificates.is_empty() {
            return Err(bad(
                "no certificate in it; a PEM file of certificates is expected".to_owned(),
            ));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|e| bad(e.to_string()))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| NetFault::Roots {
            file: "tls".to_owned(),
            why: e.to_string(),
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Cipher suites in the order they are wanted: AES-128-GCM first, where the processor has it in hardware.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        use rustls::CipherSuite as C;
        match suite.suite() {
            C::TLS13_AES_128_GCM_SHA256 => 0,
            C::TLS13_AES_256_GCM_SHA384 => 1,
            C::TLS13_CHACHA20_POLY1305_SHA256 => 2,
            _ => 3,
        }
    });
    provider
}

/// Both ends of a session that never leaves this process, with a certificate of its own.
pub(super) fn pair() -> Result<(ClientConnection, ServerConnection), String> {
    const NAME: &str = "localhost";
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).map_err(|e| wrong(&e))?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).map_err(|e| wrong(&e))?;
    let client = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(|e| wrong(&e))?;
    let name = ServerName::try_from(NAME).map_err(|e| wrong(&e))?;
    let near = ClientConnection::new(Arc::new(client), name).map_err(|e| wrong(&e))?;
    let far = ServerConnection::new(Arc::new(server)).map_err(|e| wrong(&e))?;
    shake_hands(near, far).map_err(|e| wrong(&e))
}

/// Passes records between the two ends in memory until neither has more to say.
fn shake_hands(
    mut near: ClientConnection,
    mut far: ServerConnection,
) -> io::Result<(ClientConnection, ServerConnection)> {
    let mut wire = Vec::new();
    while near.wants_write() || far.wants_write() {
        near.write_tls(&mut wire)?;
        far.read_tls(&mut wire.as_slice())?;
        far.process_new_packets().map_err(io::Error::other)?;
        wire.clear();
        far.write_tls(&mut wire)?;
        near.read_tls(&mut wire.as_slice())?;
        near.process_new_packets().map_err(io::Error::other)?;
        wire.clear();
    }
    Ok((near, far))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_root_file_is_named() {
        let missing = client_config(Some(Path::new("no/such/root.pem")))
            .err()
            .map(|e| e.to_string());
        assert!(missing.is_some_and(|text| text.contains("no/such/root.pem")));
        let dir = tempfile::tempdir().expect("dir");
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "nothing here").expect("write");
        let found = client_config(Some(&empty)).err().map(|e| e.to_string());
        assert!(found.is_some_and(|text| text.contains("no certificate")));
        assert!(client_config(None).is_ok());
    }
}
