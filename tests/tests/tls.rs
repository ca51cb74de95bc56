//! TLS to the server: asked for, checked against a certificate, and refused where it does not fit.

#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use evertask::prelude::*;
use evertask::testing::postgres::Server;
use evertask::{Dispatcher, OpenError};
use sqlx::{Connection as _, PgConnection, Row as _};

#[task]
async fn whisper() -> Result<(), std::convert::Infallible> {
    Ok(())
}

fn openssl(arguments: &[&str], folder: &Path) -> Option<()> {
    let made = Command::new("openssl").args(arguments).current_dir(folder).output().ok()?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(())
}

/// An authority of our own, and a certificate for `localhost` that it has signed; none, where there is no `openssl`.
fn certificate(folder: &Path, name: &str) -> Option<(PathBuf, PathBuf, PathBuf)> {
    let file = |of: &str| format!("{name}{of}");
    let (root, root_key, request, key, cert) =
        (file("-root.crt"), file("-root.key"), file(".csr"), file(".key"), file(".crt"));
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let own = ["req", "-x509", "-days", "2", "-subj", "/CN=An authority", "-keyout", &root_key, "-out", &root];
    openssl(&[&own[..], &curve].concat(), folder)?;
    let asked = ["req", "-subj", "/CN=localhost", "-keyout", &key, "-out", &request];
    openssl(&[&asked[..], &curve].concat(), folder)?;
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    let signed = ["x509", "-req", "-days", "2", "-in", &request, "-CA", &root, "-CAkey", &root_key, "-CAcreateserial"];
    openssl(&[&signed[..], &["-extfile", "names", "-out", &cert]].concat(), folder)?;
    Some((folder.join(key), folder.join(cert), folder.join(root)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_encrypted_and_the_server_is_who_it_says() {
    let server = Server::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let Some((key, cert, root)) = certificate(folder.path(), "server") else {
        println!("skipped: there is no openssl here");
        return;
    };
    // The server's key is its owner's alone.
    let owner = std::fs::metadata(server.folder().join("data")).unwrap();
    for file in [&key, &cert] {
        let to = server.folder().join(file.file_name().unwrap());
        std::fs::copy(file, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let at = |file: &str| server.folder().join(file).display().to_string();
    server.stop("fast").unwrap();
    let options = format!(
        "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
        at("server.crt"),
        at("server.key")
    );
    server.start_again_with(&options).unwrap();
    let url = |host: &str, more: &str| format!("postgres://evertask@{host}:{port}/postgres?schema=secret&{more}");
    let trusted = root.display().to_string();

    for more in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={trusted}")] {
        let dispatcher = Dispatcher::open(&url("localhost", &more)).await.unwrap();
        let worker = dispatcher.worker().registry(evertask::registry::Registry::default().add::<whisper>());
        let worker = worker.start().await.unwrap();
        dispatcher.dispatch(whisper {}).await.unwrap().wait().await.unwrap();
        let plain = format!("postgres://evertask@localhost:{port}/postgres?host={}", server.folder().display());
        let mut conn = PgConnection::connect(&plain).await.unwrap();
        let count = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl), min(version) \
                     FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let row = sqlx::query(count).fetch_one(&mut conn).await.unwrap();
        let (encrypted, open, version): (i64, i64, Option<String>) = (row.get(0), row.get(1), row.get(2));
        println!("{}: {encrypted} connections by {}, {open} in the open", &more[..15], version.unwrap_or_default());
        // One writes, one reads, one listens.
        assert_eq!((encrypted, open), (3, 0));
        worker.shutdown().await;
        dispatcher.close().await.unwrap();
    }

    let (_, _, stranger) = certificate(folder.path(), "stranger").unwrap();
    let wrong = [
        (
            "not signed by whom it trusts",
            url("localhost", &format!("sslmode=verify-full&sslrootcert={}", stranger.display())),
        ),
        ("not the name of the server", url("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={trusted}"))),
        ("not one of the system's", url("localhost", "sslmode=verify-ca")),
    ];
    for (why, url) in wrong {
        let begun = Instant::now();
        let error = Dispatcher::open(&url).await.unwrap_err();
        println!("{why}: {error}");
        let OpenError::Store(error) = error else { panic!("{error:?}") };
        assert!(!error.is_transient() && error.to_string().contains("no connection with TLS"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(4), "a retry does not help, and it was retried");
    }
}
