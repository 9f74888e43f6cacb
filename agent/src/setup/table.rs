//! Our table in Codex's TOML. It goes to the end of the text, which stays as it is: the parser only
//! looks.

use toml_edit::{Document, Item, TableLike};

use super::json::is_coord;
use super::part::{Damage, Put, line_end, with_line_ends};

/// The table, and the header that it is written under.
const PARENT: &str = "mcp_servers";
const NAME: &str = "coord";
const HEADER: &str = "[mcp_servers.coord]";

fn parse(text: &str) -> Result<Document<&str>, Damage> {
    Document::parse(text).map_err(|e| match e.span() {
        Some(span) => Damage::at(text, span.start, e.message()),
        None => Damage::of(e.message()),
    })
}

/// What the document has under our name.
fn server<'a>(document: &'a Document<&str>) -> Option<&'a Item> {
    document.as_table().get(PARENT)?.as_table_like()?.get(NAME)
}

fn is_ours(item: &Item) -> bool {
    let Some(table) = item.as_table_like() else { return false };
    let args = table.get("args").and_then(Item::as_array);
    let args: Vec<_> = args.into_iter().flatten().filter_map(|v| v.as_str()).collect();
    text_of(table, "command").is_some_and(is_coord) && args == ["mcp"]
}

fn text_of<'a>(table: &'a dyn TableLike, name: &str) -> Option<&'a str> {
    table.get(name)?.as_str()
}

pub(super) fn put(text: Option<&str>, template: &str) -> Result<Put, Damage> {
    let text = text.unwrap_or_default();
    match server(&parse(text)?) {
        Some(item) if is_ours(item) => return Ok(Put::of(text)),
        Some(_) => {
            let why = format!("{PARENT}.{NAME} is somebody else's; it is left as it is");
            return Ok(Put { text: text.to_owned(), skipped: vec![why] });
        }
        None => {}
    }
    let end = line_end(text);
    let gap = match text {
        "" => String::new(),
        t if t.ends_with('\n') => end.to_owned(),
        _ => end.repeat(2),
    };
    let with = format!("{text}{gap}{}", with_line_ends(template, end));
    if server(&parse(&with).map_err(|_| closed())?).is_some() {
        return Ok(Put::of(with));
    }
    Err(closed())
}

fn closed() -> Damage {
    Damage::of(format!(
        "{PARENT} is written in one line, so that nothing can be added below; write it as [{PARENT}.name] \
         tables"
    ))
}

/// The text without our table: its header, and all up to the next one that is not below it.
pub(super) fn take(text: &str) -> Result<Option<String>, Damage> {
    if !server(&parse(text)?).is_some_and(is_ours) {
        return Ok(Some(text.to_owned()));
    }
    let (mut rest, mut inside) = (String::new(), false);
    let mut comments = String::new();
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        if words.starts_with('[') && !words.starts_with("[mcp_servers.coord.") {
            inside = header_of(words) == HEADER;
            // What stands directly above a header belongs to it.
            rest.push_str(&std::mem::take(&mut comments));
        }
        if !inside {
            rest.push_str(line);
        } else if words.is_empty() || words.starts_with('#') {
            comments.push_str(line);
        } else {
            comments.clear();
        }
    }
    if server(&parse(&rest)?).is_some() {
        let why = format!("{HEADER} is written in an unusual way; take it out by hand");
        return Err(Damage::of(why));
    }
    // The blank line that we put before it, where nothing follows.
    let own_gap = text.trim_end().len() > rest.trim_end().len() && rest.ends_with("\n\n");
    if own_gap {
        rest.pop();
    } else if rest.ends_with("\r\n\r\n") {
        rest.truncate(rest.len() - 2);
    }
    Ok((!rest.trim().is_empty()).then_some(rest))
}

/// A header's line without its comment and inner blanks.
fn header_of(line: &str) -> String {
    line.split('#').next().unwrap_or_default().split_whitespace().collect()
}

/// What of Codex's own settings says whether our hooks run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Folders that are trusted.
    pub(super) trusted: Vec<String>,
    /// Hooks of which something is on record.
    pub(super) hooks: Vec<String>,
    /// Our plugin is switched on.
    pub(super) has_plugin: bool,
}

/// Reads them; nothing when the file cannot be read.
pub(super) fn settings(text: &str) -> Option<Settings> {
    let document = parse(text).ok()?;
    let table = |path: &[&str]| {
        let mut at = document.as_item();
        for name in path {
            at = at.as_table_like()?.get(name)?;
        }
        at.as_table_like()
    };
    let rows = |path: &[&str]| -> Vec<(String, Item)> {
        let rows = table(path).into_iter().flat_map(TableLike::iter);
        rows.map(|(name, item)| (name.to_owned(), item.clone())).collect()
    };
    let says = |item: &Item, name: &str, value: &str| {
        item.as_table_like().and_then(|t| text_of(t, name)) == Some(value)
    };
    let trusted = rows(&["projects"]).into_iter();
    let trusted = trusted.filter(|(_, p)| says(p, "trust_level", "trusted")).map(|(n, _)| n);
    let is_on = |item: &Item| {
        let enabled = item.as_table_like().and_then(|t| t.get("enabled")?.as_bool());
        enabled != Some(false)
    };
    Some(Settings {
        trusted: trusted.collect(),
        hooks: rows(&["hooks", "state"]).into_iter().map(|(n, _)| n).collect(),
        has_plugin: rows(&["plugins"]).iter().any(|(n, p)| n.starts_with("coord@") && is_on(p)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../skill/templates/codex-mcp.toml");

    #[test]
    fn at_the_end_and_out_again() {
        for text in [
            "model = \"x\"\n",
            "model = \"x\" # why\r\n\r\n[profiles.a]\r\nb = 1\r\n",
            "[mcp_servers.other]\ncommand = \"y\"\n",
        ] {
            let with = put(Some(text), TEMPLATE).unwrap();
            assert!(with.text.starts_with(text) && with.skipped.is_empty());
            assert_eq!(put(Some(&with.text), TEMPLATE).unwrap(), with);
            assert_eq!(take(&with.text).unwrap().as_deref(), Some(text));
            let crlf = with.text.matches("\r\n").count();
            assert!(crlf == 0 || crlf == with.text.matches('\n').count(), "{:?}", with.text);
        }
        let made = put(None, TEMPLATE).unwrap().text;
        assert_eq!((made.as_str(), take(&made).unwrap()), (TEMPLATE, None));
    }

    #[test]
    fn what_came_behind_it_stays() {
        let with = put(Some("a = 1\n"), TEMPLATE).unwrap().text;
        let more = format!("{with}[mcp_servers.coord.env]\nA = \"b\"\n\n# mine\n[z]\ny = 2\n");
        assert_eq!(take(&more).unwrap().as_deref(), Some("a = 1\n\n\n# mine\n[z]\ny = 2\n"));
    }

    #[test]
    fn what_codex_knows_of_us() {
        let text = "[projects.\"/a\"]\ntrust_level = \"trusted\"\n[projects.\"/b\"]\n\
            trust_level = \"untrusted\"\n[plugins.\"coord@coord\"]\nenabled = true\n\
            [hooks.state.\"/a/.codex/hooks.json:stop:0:0\"]\ntrusted_hash = \"x\"\n";
        let found = settings(text).unwrap();
        assert_eq!(found.trusted, ["/a"]);
        assert_eq!(found.hooks, ["/a/.codex/hooks.json:stop:0:0"]);
        assert!(found.has_plugin);
        assert!(!settings("[plugins.\"coord@x\"]\nenabled = false\n").unwrap().has_plugin);
        assert_eq!(settings(""), Some(Settings::default()));
    }

    #[test]
    fn foreign_and_damaged() {
        let foreign = "[mcp_servers.coord]\ncommand = \"npx\"\n";
        let with = put(Some(foreign), TEMPLATE).unwrap();
        assert_eq!((with.text.as_str(), with.skipped.len()), (foreign, 1));
        assert_eq!(take(foreign).unwrap().as_deref(), Some(foreign));
        assert_eq!(put(Some("a = 1\nb =\n"), TEMPLATE).unwrap_err().line, Some(2));
        let inline = "mcp_servers = { x = { command = \"y\" } }\n";
        assert!(put(Some(inline), TEMPLATE).unwrap_err().why.contains("one line"));
        let dotted = "mcp_servers.coord.command = \"coord\"\nmcp_servers.coord.args = [\"mcp\"]\n";
        assert!(take(dotted).is_err(), "not cut blindly");
    }
}
