//! Where an endpoint is.

use reqwest::Url;
use std::fmt;

/// The URL of an endpoint. It is shown without path, query and user, one of which is often a provider's key.
#[derive(Clone)]
pub struct RpcUrl(Option<Url>);

impl RpcUrl {
    /// The URL, if it is one of HTTP.
    pub fn url(&self) -> Option<&Url> {
        self.0.as_ref()
    }
}

/// Never fails, so that clap never shows the text.
impl From<String> for RpcUrl {
    fn from(text: String) -> Self {
        let url = text.trim().parse::<Url>().ok();
        Self(url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()))
    }
}

impl fmt::Display for RpcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(url) = &self.0 else { return f.write_str("(no URL)") };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for RpcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_shown() {
        let shown = |text: &str| {
            let url = RpcUrl::from(text.to_owned());
            (format!("{url} {url:?}"), url.url().is_some())
        };
        let host = "https://arb-mainnet.example:8443";
        for text in ["/v2/key", "/?key=key", "/#key"] {
            assert_eq!(shown(&format!("{host}{text}")), (format!("{host} {host}"), true));
        }
        let user = shown("http://name:key@127.0.0.1:8547");
        assert_eq!(user, ("http://127.0.0.1:8547 http://127.0.0.1:8547".into(), true));
        for text in ["localhost:8547", "ws://localhost:8547", "key", ""] {
            assert_eq!(shown(text), ("(no URL) (no URL)".into(), false), "{text}");
        }
    }
}
