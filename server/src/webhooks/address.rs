//! Where events may be sent (G50): to public addresses over https, and to what the operator lists.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sha2::{Digest, Sha256};

/// Longest address of a receiver.
const URL_BYTES_MAX: usize = 2_048;

/// `COORD_WEBHOOK_ALLOW_HOSTS`: hosts that may be asked without TLS and may be near: names or IP
/// addresses, with or without a port.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    entries: Vec<(String, Option<u16>)>,
}

impl AllowList {
    /// Reads the list, divided by commas.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entry = |e: &str| {
            let (host, port) = authority(e).ok_or_else(|| {
                format!(
                    "{e:?} is no host; name hosts without scheme and path, with or without a port"
                )
            })?;
            Ok((host.to_ascii_lowercase(), port))
        };
        let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty()).map(entry);
        Ok(Self { entries: entries.collect::<Result<_, String>>()? })
    }

    fn lists(&self, host: &str, port: u16) -> bool {
        self.entries.iter().any(|(h, p)| h == host && p.is_none_or(|p| p == port))
    }
}

/// Which addresses a receiver may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public ones.
    Public,
    /// Near ones too: the operator lists its name. None that only this machine or its cloud answers
    /// at by accident: link-local (with it the metadata service), multicast, "this network".
    Near,
    /// Whatever it is: the operator lists the very address.
    Any,
}

/// Who gets events.
#[derive(Clone)]
pub struct Receiver {
    url: String,
    label: String,
    reach: Reach,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Paths of such addresses are often secrets.
        f.debug_struct("Receiver").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Receiver {
    /// Reads an address of the form `https://host[:port][/path][?query]`; `http` for listed hosts. The
    /// error does not repeat the address.
    pub fn parse(url: &str, allow: &AllowList) -> Result<Self, String> {
        let bad = |why: &str| Err(why.to_owned());
        if url.len() > URL_BYTES_MAX || !url.bytes().all(|b| b.is_ascii_graphic()) {
            return bad("must be at most 2048 printable ASCII characters without blanks");
        }
        let (https, rest) = match url.split_once("://") {
            Some((s, rest)) if s.eq_ignore_ascii_case("https") => (true, rest),
            Some((s, rest)) if s.eq_ignore_ascii_case("http") => (false, rest),
            _ => return bad("must begin with https://"),
        };
        let (before, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains('#') {
            return bad("must not have a fragment");
        }
        let Some((host, port)) = authority(before) else {
            return bad("must name a host, with or without a port, and no user");
        };
        let port = port.unwrap_or(if https { 443 } else { 80 });
        let host = host.to_ascii_lowercase();
        let ip = host.parse::<IpAddr>().ok();
        let reach = match (allow.lists(&host, port), ip) {
            (true, Some(_)) => Reach::Any,
            (true, None) => Reach::Near,
            (false, _) if !https => {
                return bad("must be https, or its host in COORD_WEBHOOK_ALLOW_HOSTS");
            }
            (false, Some(ip)) if !is_public(ip) => {
                return bad("is no public address; list it in COORD_WEBHOOK_ALLOW_HOSTS");
            }
            (false, _) => Reach::Public,
        };
        let scheme = if https { "https" } else { "http" };
        let shown = match ip {
            Some(IpAddr::V6(v6)) => format!("[{v6}]"),
            _ => host,
        };
        let mark: String = Sha256::digest(url)[..4].iter().map(|b| format!("{b:02x}")).collect();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{shown}:{port}{slash}{path}");
        Ok(Self { url, label: format!("{scheme}://{shown}:{port}#{mark}"), reach })
    }

    /// Its address. Not for logs: the path may be a secret.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name in logs and in the database: scheme, host, port, and a mark that tells it from others
    /// there. Stays the same for as long as the address does.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Those of the addresses its name was resolved to that may be connected to.
    pub fn permitted(&self, found: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        found.into_iter().filter(|a| within(self.reach, a.ip())).collect()
    }
}

/// Host (without the brackets of IPv6) and port.
fn authority(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (v6, after) = rest.split_once(']')?;
        v6.parse::<Ipv6Addr>().ok()?;
        match after.strip_prefix(':') {
            Some(port) => (v6, Some(port)),
            None if after.is_empty() => (v6, None),
            None => return None,
        }
    } else if text.parse::<Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let in_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(in_host) {
        return None;
    }
    let port = port.map(|p| p.parse().ok().filter(|p| *p > 0));
    match port {
        Some(None) => None,
        Some(port) => Some((host, port)),
        None => Some((host, None)),
    }
}

fn within(reach: Reach, ip: IpAddr) -> bool {
    match reach {
        Reach::Public => is_public(ip),
        Reach::Near => is_public(ip) || is_near(ip),
        Reach::Any => true,
    }
}

/// Whether an address is one of the internet at large (IANA's special-purpose registries).
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        // This network, loopback, private, class E with broadcast, multicast.
        [0 | 10 | 127 | 224.., ..]
        // Carrier-grade NAT.
        | [100, 64..=127, ..]
        // Link-local, with the metadata service of clouds.
        | [169, 254, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        // Protocol assignments, documentation, the old 6to4 relays.
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // Benchmarks.
        | [198, 18..=19, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // IPv4 behind a translator.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0xffff, ..] => is_public_v4(last_four(ip)),
        // Protocol assignments with Teredo, documentation, 6to4: ways to an IPv4 address, or to nobody.
        [0x2001, 0..=0x1ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // All that is given out so far; the rest is loopback, local, multicast or nothing yet.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Loopback and private networks: what a listed name may well mean.
fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || is_shared(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_near(v4.into()),
            None => v6.is_loopback() || (v6.is_unique_local() && v6 != AWS_METADATA_V6),
        },
    }
}

const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);

fn is_shared(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [100, 64..=127, ..]) && ip != ALIBABA_METADATA
}

fn last_four(ip: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = ip.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
