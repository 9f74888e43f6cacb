//! What a project is called.

/// The name of a project by its remote's address, in any of its spellings: `owner/name`, or `name` where
/// there is no owner.
pub fn key_of_url(url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url.split_once(':').map_or(url, |(_, path)| path),
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let parts: Vec<&str> = path.rsplit('/').take(2).filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        [name, owner] => Some(format!("{owner}/{name}")),
        [name] => Some((*name).to_owned()),
        _ => None,
    }
}
