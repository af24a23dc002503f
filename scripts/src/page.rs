//! The page on which anybody draws a digit and has a contract read it: `web/dist`, part of this binary, and the server
//! that hands it out.
//!
//! The page is static. What it is about stands in `config.json` beside it ([`Config`]), and its content security policy
//! lets it talk to the configured endpoint and to nobody else; both are made here. [`Site::write`] puts all of it into a
//! folder, for any web server. [`serve`] answers for exactly these files: a path is looked up in a list and never in a
//! file system.

use crate::Error;
use alloy::primitives::Address;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
        REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use inkling_devnode::server::ServerError;
use serde::Serialize;
use std::{convert::Infallible, fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The built page.
macro_rules! built {
    ($name:literal) => {
        include_str!(concat!("../../web/dist/", $name))
    };
}

/// The policy in the built page, for any endpoint with TLS.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
connect-src 'self' https:; base-uri 'none'; form-action 'none'";

/// The part of it that depends on the endpoint.
const ANY_ENDPOINT: &str = "https:";

/// How long a connection may take to send the head of its next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// What the page is about: `config.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Id of the chain.
    pub chain_id: u64,
    /// Its name.
    pub chain_name: String,
    /// The endpoint that the page reads through. Everybody who opens the page sees it.
    pub rpc: String,
    /// The Stylus contract.
    pub address: Address,
    /// Its Solidity twin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solidity_address: Option<Address>,
    /// The explorer that links lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explorer: Option<String>,
}

/// A file of the page.
#[derive(Debug)]
struct File {
    name: &'static str,
    content_type: &'static str,
    content: Bytes,
}

/// The page, configured.
#[derive(Debug)]
pub struct Site {
    files: Vec<File>,
    policy: HeaderValue,
}

impl Site {
    /// The page for one chain and its contracts.
    ///
    /// # Errors
    /// [`Error::Usage`] where endpoint or explorer is not an HTTP address.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let rpc = http_url(&config.rpc)?;
        config.explorer.as_deref().map(http_url).transpose()?;
        let policy = POLICY.replace(ANY_ENDPOINT, &rpc.origin().ascii_serialization());
        let index = built!("index.html").replace(POLICY, &policy);
        let json = format!("{:#}\n", serde_json::json!(config));
        let file = |name, content_type, content| File { name, content_type, content };
        let files = vec![
            file("index.html", "text/html; charset=utf-8", index.into()),
            file("main.js", "text/javascript; charset=utf-8", built!("main.js").into()),
            file("style.css", "text/css; charset=utf-8", built!("style.css").into()),
            file("icon.svg", "image/svg+xml", built!("icon.svg").into()),
            file("config.json", "application/json", json.into()),
        ];
        // Of the header alone: in a page browsers ignore it.
        let policy = HeaderValue::from_str(&format!("{policy}; frame-ancestors 'none'"));
        let policy = policy.map_err(|_| Error::Usage(format!("{} is no origin", config.rpc)))?;
        Ok(Self { files, policy })
    }

    /// Writes the page as static files.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        fs::create_dir_all(dir).map_err(io(dir))?;
        for File { name, content, .. } in &self.files {
            let path = dir.join(name);
            fs::write(&path, content).map_err(io(&path))?;
        }
        Ok(())
    }

    /// The answer to a request.
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let name = path.strip_prefix('/').unwrap_or_default();
        let name = if path == "/" { "index.html" } else { name };
        let plain = "text/plain; charset=utf-8";
        let (status, content_type, content) = match self.files.iter().find(|file| file.name == name)
        {
            _ if !matches!(*method, Method::GET | Method::HEAD) => {
                (StatusCode::METHOD_NOT_ALLOWED, plain, Bytes::from_static(b"GET only\n"))
            }
            Some(file) => (StatusCode::OK, file.content_type, file.content.clone()),
            None => (StatusCode::NOT_FOUND, plain, Bytes::from_static(b"no such page\n")),
        };
        // Of a HEAD request hyper sends the headers alone.
        let mut response = Response::new(Full::new(content));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        let fixed: [(HeaderName, &'static str); 4] = [
            (CONTENT_TYPE, content_type),
            // The next version of this program may have another page.
            (CACHE_CONTROL, "no-cache"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        response
    }
}

fn http_url(url: &str) -> Result<reqwest::Url, Error> {
    let parsed = url.parse::<reqwest::Url>().ok();
    let parsed = parsed.filter(|url| matches!(url.scheme(), "http" | "https"));
    parsed.ok_or_else(|| {
        Error::Usage(format!("{url} is no address of the kind http://localhost:8547"))
    })
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl PageServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the page on `port`, 0 for any that is free.
///
/// # Errors
/// [`Error::Server`] where it cannot listen there.
pub async fn serve(site: Site, host: &str, port: u16) -> Result<PageServer, Error> {
    let listen = |source| ServerError::Listen { host: host.into(), port, source };
    let listener = TcpListener::bind((host, port)).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let site = Arc::new(site);
    let task = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => drop(tokio::spawn(connection(socket, site.clone()))),
                // The client is gone already, or the process is out of files until others close theirs.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
    Ok(PageServer { address, task })
}

/// Serves one connection to its end.
async fn connection(socket: TcpStream, site: Arc<Site>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = site.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    // How a connection ends is the client's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    fn config() -> Config {
        Config {
            chain_id: 421_614,
            chain_name: "Arbitrum Sepolia".into(),
            rpc: "https://rpc.example:8443/v1/key?x".into(),
            address: address!("00000000000000000000000000000000000a11ce"),
            solidity_address: None,
            explorer: Some("https://explorer.example".into()),
        }
    }

    fn header(response: &Response<Full<Bytes>>, name: HeaderName) -> &str {
        response.headers()[name].to_str().unwrap()
    }

    #[test]
    fn the_policy_names_the_endpoint_and_nobody_else() {
        assert_eq!(built!("index.html").matches(POLICY).count(), 1);
        let site = Site::new(&config()).unwrap();
        let response = site.answer(&Method::GET, "/");
        assert_eq!(
            header(&response, CONTENT_SECURITY_POLICY),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self' https://rpc.example:8443; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let index = String::from_utf8(site.files[0].content.to_vec()).unwrap();
        assert!(index.contains("connect-src 'self' https://rpc.example:8443; base-uri"));
        assert!(!index.contains("https:;"));
    }

    #[test]
    fn only_the_files_of_the_page_are_there() {
        let site = Site::new(&config()).unwrap();
        let answer = |method, path| {
            let response = site.answer(&method, path);
            (response.status().as_u16(), header(&response, CONTENT_TYPE).to_owned())
        };
        assert_eq!(answer(Method::GET, "/"), (200, "text/html; charset=utf-8".into()));
        assert_eq!(answer(Method::GET, "/main.js"), (200, "text/javascript; charset=utf-8".into()));
        assert_eq!(answer(Method::HEAD, "/config.json"), (200, "application/json".into()));
        assert_eq!(answer(Method::POST, "/config.json").0, 405);
        for path in ["", "//", "/..", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "index.html", "/a"] {
            assert_eq!(answer(Method::GET, path).0, 404, "{path}");
        }
    }

    #[test]
    fn the_configuration_is_what_the_page_reads() {
        let site = Site::new(&config()).unwrap();
        let file = site.files.iter().find(|file| file.name == "config.json").unwrap();
        let json: serde_json::Value = serde_json::from_slice(&file.content).unwrap();
        let expected = serde_json::json!({
            "chainId": 421_614,
            "chainName": "Arbitrum Sepolia",
            "rpc": "https://rpc.example:8443/v1/key?x",
            "address": "0x00000000000000000000000000000000000a11ce",
            "explorer": "https://explorer.example",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn other_addresses_than_http_are_refused() {
        for rpc in ["localhost:8547", "ws://localhost:8547", "javascript:alert(1)", ""] {
            let error = Site::new(&Config { rpc: rpc.into(), ..config() }).unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{rpc}");
        }
        let explorer = Some("javascript:alert(1)".into());
        assert!(Site::new(&Config { explorer, ..config() }).is_err());
    }
}
