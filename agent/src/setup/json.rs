//! Entries of ours in somebody's JSON, with or without comments. The template is merged: objects into
//! objects, elements to the end of lists (Codex trusts a hook by its place), a value where none
//! is. What is ours is known by the command that it runs.

use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::host::Host;
use super::part::{Damage, Put};

/// Deeper nesting than this is no settings file.
const DEPTH_MAX: usize = 100;
const BOM: char = '\u{feff}';

/// The text with the template's entries.
pub(super) fn put(text: Option<&str>, template: &str) -> Result<Put, Damage> {
    let Some(text) = text.filter(|t| !is_blank(t)) else { return Ok(Put::of(template)) };
    let root = parse(text)?;
    let wanted = parse(template)?;
    let mut skipped = Vec::new();
    merge(&object(&root)?, &object(&wanted)?, "", &mut skipped)?;
    Ok(Put { text: printed(text, &root), skipped })
}

/// The text without them; `None` when nothing else is there and nothing was before.
pub(super) fn take(
    text: &str,
    template: &str,
    original: Option<&str>,
) -> Result<Option<String>, Damage> {
    if is_blank(text) {
        return Ok(Some(text.to_owned()));
    }
    let root = parse(text)?;
    let wanted = parse(template)?;
    let before = original.and_then(|t| parse(t).ok()).and_then(|r| r.to_serde_value());
    let (all, wanted) = (object(&root)?, object(&wanted)?);
    if !unmerge(&all, &wanted, before.as_ref())? {
        return Ok(Some(text.to_owned()));
    }
    // The version of the file's form came with it.
    let scalars = |p: &CstObjectProp| {
        let same = value_of(p) == wanted.get(&name_of(p)).as_ref().and_then(value_of);
        same && !value_of(p).is_some_and(|v| v.is_object() || v.is_array())
    };
    let ours_alone = all.properties().iter().all(scalars);
    if ours_alone && original.is_none() && !has_comments(&root.children()) {
        return Ok(None);
    }
    Ok(Some(printed(text, &root)))
}

/// Refuses what is JSON only with comments or trailing commas, where the file's reader takes neither and
/// then ignores all of it.
pub(super) fn strict(text: &str, reader: Host) -> Result<(), Damage> {
    if is_blank(text) {
        return Ok(());
    }
    // The parser that keeps comments takes them whatever its options say.
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let looked = parse_to_ast(text, &CollectOptions::default(), &options(false));
    let Err(e) = looked else { return Ok(()) };
    let what = match e.kind() {
        ParseErrorKind::CommentsNotAllowed => "comments",
        ParseErrorKind::TrailingCommasNotAllowed => "trailing commas",
        _ => return Err(damage(&e)),
    };
    let why = format!("{} reads no {what} here, and would ignore the file", reader.title());
    Err(Damage { line: Some(e.line_display()), why })
}

/// What a text says, for looking at; nothing when it cannot be read.
pub(super) fn values(text: &str) -> Option<Value> {
    parse(text).ok()?.to_serde_value()
}

fn is_blank(text: &str) -> bool {
    text.trim_start_matches(BOM).trim().is_empty()
}

fn printed(text: &str, root: &CstRootNode) -> String {
    let bom = if text.starts_with(BOM) { "\u{feff}" } else { "" };
    format!("{bom}{root}")
}

fn has_comments(children: &[CstNode]) -> bool {
    let is_one = |n: &CstNode| n.as_comment().is_some() || has_comments(&n.children());
    children.iter().any(is_one)
}

fn parse(text: &str) -> Result<CstRootNode, Damage> {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    shallow(text)?;
    CstRootNode::parse(text, &options(true)).map_err(|e| damage(&e))
}

fn damage(e: &ParseError) -> Damage {
    Damage { line: Some(e.line_display()), why: e.kind().to_string() }
}

fn options(leniently: bool) -> ParseOptions {
    ParseOptions {
        allow_comments: leniently,
        allow_trailing_commas: leniently,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// The parser goes down into brackets by recursion.
fn shallow(text: &str) -> Result<(), Damage> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Damage::at(text, at, format!("nested deeper than {DEPTH_MAX}")));
        }
    }
    Ok(())
}

fn object(root: &CstRootNode) -> Result<CstObject, Damage> {
    root.object_value().ok_or_else(|| Damage::of("its top is not an object"))
}

fn name_of(property: &CstObjectProp) -> String {
    property.decoded_name().unwrap_or_default()
}

fn value_of(property: &CstObjectProp) -> Option<Value> {
    property.value().and_then(|v| v.to_serde_value())
}

/// The property of that name, which readers would have to choose from if there were two.
fn single(object: &CstObject, name: &str, path: &str) -> Result<Option<CstObjectProp>, Damage> {
    let mut all = object.properties().into_iter().filter(|p| name_of(p) == name);
    let first = all.next();
    match all.next() {
        None => Ok(first),
        Some(_) => Err(Damage::of(format!("{path} stands there twice"))),
    }
}

fn merge(
    into: &CstObject,
    wanted: &CstObject,
    above: &str,
    skipped: &mut Vec<String>,
) -> Result<(), Damage> {
    for property in wanted.properties() {
        let name = name_of(&property);
        let path = format!("{above}{name}");
        let Some(value) = property.value() else { continue };
        let Some(there) = single(into, &name, &path)? else {
            into.append(&name, input(&value));
            continue;
        };
        if is_server(&value) {
            if !there.value().is_some_and(|v| is_server(&v)) {
                skipped.push(format!("{path} is somebody else's; it is left as it is"));
            }
        } else if let Some(wanted) = value.as_object() {
            let into = there.object_value().ok_or_else(|| wrong(&path, "an object"))?;
            merge(&into, &wanted, &format!("{path}."), skipped)?;
        } else if let Some(wanted) = value.as_array() {
            let into = there.array_value().ok_or_else(|| wrong(&path, "a list"))?;
            merge_list(&into, &wanted);
        }
    }
    Ok(())
}

fn wrong(path: &str, what: &str) -> Damage {
    Damage::of(format!("{path} is not {what}"))
}

/// Ours are brought to this version's form in their places; further ones go to the end. A group in
/// which somebody put ours beside their own is their arrangement.
fn merge_list(into: &CstArray, wanted: &CstArray) {
    let there = into.elements();
    if there.iter().any(|e| ours(e) == Ours::Some) {
        return;
    }
    let mut there = there.into_iter().filter(|e| ours(e) == Ours::All);
    for wanted in wanted.elements() {
        match there.next() {
            Some(old) if old.to_serde_value() == wanted.to_serde_value() => {}
            Some(old) => replace(&old, input(&wanted)),
            None => {
                into.append(input(&wanted));
            }
        }
    }
    there.for_each(CstNode::remove);
}

fn replace(old: &CstNode, new: CstInputValue) {
    if let Some(object) = old.as_object() {
        object.replace_with(new);
    }
}

/// Takes ours out; says whether anything was.
fn unmerge(from: &CstObject, wanted: &CstObject, before: Option<&Value>) -> Result<bool, Damage> {
    let mut any = false;
    for property in wanted.properties() {
        let name = name_of(&property);
        let Some(there) = single(from, &name, &name)? else { continue };
        let (Some(value), Some(found)) = (property.value(), there.value()) else { continue };
        let before = before.and_then(|b| b.get(&name));
        let taken = if is_server(&value) {
            is_server(&found)
        } else if let (Some(found), Some(wanted)) = (found.as_object(), value.as_object()) {
            let taken = unmerge(&found, &wanted, before)?;
            any |= taken;
            taken && found.properties().is_empty()
        } else if let Some(found) = found.as_array() {
            let taken = take_from_list(&found);
            any |= taken;
            taken && found.elements().is_empty()
        } else {
            false
        };
        if taken && before.is_none() {
            there.remove();
            any = true;
        }
    }
    Ok(any)
}

fn take_from_list(list: &CstArray) -> bool {
    let mut any = false;
    for element in list.elements() {
        match ours(&element) {
            Ours::All => {
                element.remove();
                any = true;
            }
            Ours::Some => {
                let group = element.as_object().and_then(|o| o.array_value("hooks"));
                any |= group.is_some_and(|g| take_from_list(&g));
            }
            Ours::None => {}
        }
    }
    any
}

/// How much of an element of a list of hooks is ours.
#[derive(PartialEq, Eq)]
enum Ours {
    All,
    Some,
    None,
}

fn ours(element: &CstNode) -> Ours {
    let mut commands = Vec::new();
    if let Some(value) = element.to_serde_value() {
        commands_in(&value, &mut commands);
    }
    match commands.iter().filter(|c| is_hook(c)).count() {
        0 => Ours::None,
        n if n == commands.len() => Ours::All,
        _ => Ours::Some,
    }
}

/// The handlers' commands: one text each, whatever a host calls it.
fn commands_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let named = ["command", "bash"].iter().find_map(|n| fields.get(*n)?.as_str());
            let is_handler = fields.contains_key("type") && !fields.contains_key("hooks");
            match named {
                Some(command) => found.push(command.to_owned()),
                // A prompt, a call over HTTP: somebody else's.
                None if is_handler => found.push(String::new()),
                None => fields.values().for_each(|v| commands_in(v, found)),
            }
        }
        Value::Array(all) => all.iter().for_each(|v| commands_in(v, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a command is `coord hook`, in whatever folder the program lies.
pub(super) fn is_hook(command: &str) -> bool {
    let mut words = command.split_whitespace();
    words.next().is_some_and(is_coord) && words.next() == Some("hook")
}

/// Whether a value starts our MCP server.
fn is_server(value: &CstNode) -> bool {
    let Some(value) = value.to_serde_value() else { return false };
    let words: Vec<&str> = match &value["command"] {
        Value::String(command) => {
            let args = value["args"].as_array().into_iter().flatten();
            std::iter::once(command.as_str()).chain(args.filter_map(Value::as_str)).collect()
        }
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => return false,
    };
    matches!(words[..], [program, "mcp"] if is_coord(program))
}

/// Whether a word names our program.
pub(super) fn is_coord(program: &str) -> bool {
    program.rsplit('/').next() == Some("coord")
}

/// A value of the template, to be written into another document.
fn input(value: &CstNode) -> CstInputValue {
    if let Some(object) = value.as_object() {
        let fields = object.properties();
        let fields = fields.iter().filter_map(|p| Some((name_of(p), input(&p.value()?))));
        return CstInputValue::Object(fields.collect());
    }
    if let Some(list) = value.as_array() {
        return CstInputValue::Array(list.elements().iter().map(input).collect());
    }
    match value.to_serde_value() {
        Some(Value::Bool(b)) => CstInputValue::Bool(b),
        Some(Value::Number(n)) => CstInputValue::Number(n.to_string()),
        Some(Value::String(s)) => CstInputValue::String(s),
        _ => CstInputValue::Null,
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
