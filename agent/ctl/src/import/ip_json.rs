// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `ip -json route` prints: an array of objects, or several arrays. One object at a time
//! is in memory.

use std::io::BufRead;

use nl31_route::DeviceName;
use serde_json::{Map, Value};

use super::intake::{Intake, Place};
use super::ip_text;
use crate::error::Error;

/// Longest object in bytes. A longer one is skipped.
const OBJECT_MAX: usize = 64 * 1024;

/// Keys of iproute2 that say nothing to a router with one table.
const IGNORED: [&str; 12] = [
    "scope", "flags", "prefsrc", "nhid", "weight", "expires", "error", "cache", "used", "age",
    "users", "ecmp_id",
];

/// Reads arrays to the end.
pub fn read(input: &mut dyn BufRead, intake: &mut Intake<'_>) -> Result<(), Error> {
    let mut objects = Objects::default();
    loop {
        let bytes = match input.fill_buf() {
            Ok([]) => break,
            Ok(bytes) => bytes,
            Err(error) => return Err(intake.unreadable(objects.offset, error)),
        };
        let len = bytes.len();
        for &byte in bytes {
            objects.byte(byte, intake)?;
        }
        input.consume(len);
    }
    match objects.depth {
        0 => Ok(()),
        _ => {
            let text = "the file ends inside the list";
            Err(intake.error(Place::Byte(objects.offset), &text))
        }
    }
}

/// Finds the objects of arrays.
#[derive(Default)]
struct Objects {
    offset: u64,
    /// Of brackets and braces.
    depth: u32,
    in_text: bool,
    escaped: bool,
    /// Where the object starts, and its bytes up to [`OBJECT_MAX`] and one more.
    start: u64,
    object: Vec<u8>,
}

impl Objects {
    fn byte(&mut self, byte: u8, intake: &mut Intake<'_>) -> Result<(), Error> {
        let place = Place::Byte(self.offset);
        self.offset += 1;
        let is_inside = self.depth >= 2;
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
        } else {
            match byte {
                b'"' if is_inside => self.in_text = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if self.depth > 0 => self.depth -= 1,
                _ if is_inside => {}
                b',' if self.depth == 1 => {}
                _ if byte.is_ascii_whitespace() => {}
                _ => return Err(intake.error(place, &"expected a list of objects")),
            }
        }
        if !is_inside && self.depth >= 2 {
            self.start = self.offset - 1;
            self.object.clear();
        }
        if is_inside || self.depth >= 2 {
            if self.object.len() <= OBJECT_MAX {
                self.object.push(byte);
            }
            if self.depth < 2 {
                return self.end(intake);
            }
        }
        Ok(())
    }

    fn end(&mut self, intake: &mut Intake<'_>) -> Result<(), Error> {
        let place = Place::Byte(self.start);
        if self.object.len() > OBJECT_MAX {
            let text = format!("the object is longer than {OBJECT_MAX} bytes");
            return intake.skip(place, &text);
        }
        match serde_json::from_slice(&self.object) {
            // For each route that its filter leaves out, iproute2 prints an empty one.
            Ok(Value::Object(object)) if object.is_empty() => Ok(()),
            Ok(Value::Object(object)) => match lines(&object, intake) {
                Ok(lines) => lines
                    .iter()
                    .try_for_each(|line| ip_text::route(place, line, intake)),
                Err(text) => intake.skip(place, &text),
            },
            Ok(_) => intake.skip(place, &"not an object"),
            Err(error) => intake.skip(place, &format!("not JSON: {error}")),
        }
    }
}

/// The lines that `ip route` prints for an object: one for each next hop.
fn lines(object: &Map<String, Value>, intake: &mut Intake<'_>) -> Result<Vec<String>, String> {
    let mut line = String::new();
    // The words of a line begin with these.
    for key in ["type", "dst"] {
        if let Some(value) = object.get(key) {
            append(&mut line, "", value)?;
        }
    }
    let mut next_hops = None;
    for (key, value) in object {
        match (key.as_str(), value) {
            ("type" | "dst", _) => {}
            (_, value) if is_empty(value) => {}
            ("nexthops", Value::Array(list)) => next_hops = Some(list),
            ("metrics", Value::Array(list)) => {
                for (key, value) in list.iter().filter_map(Value::as_object).flatten() {
                    append(&mut line, key, value)?;
                }
            }
            (key, value) => key_value(&mut line, key, value, intake)?,
        }
    }
    let Some(next_hops) = next_hops else {
        return Ok(vec![line]);
    };
    let each = next_hops.iter().map(|hop| {
        let mut line = line.clone();
        let hop = hop.as_object().ok_or("a next hop is not an object")?;
        for (key, value) in hop.iter().filter(|(_, value)| !is_empty(value)) {
            key_value(&mut line, key, value, intake)?;
        }
        Ok(line)
    });
    each.collect()
}

/// Whether it is a list of nothing, as iproute2 prints it for flags.
fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Appends what a key means, as words of `ip route`.
fn key_value(
    line: &mut String,
    key: &str,
    value: &Value,
    intake: &mut Intake<'_>,
) -> Result<(), String> {
    if let Some(ignored) = IGNORED.iter().find(|ignored| **ignored == key) {
        intake.ignore(ignored);
        return Ok(());
    }
    match (key, value) {
        ("gateway", value) => append(line, "via", value),
        ("via", Value::Object(via)) => append(line, "via", via.get("host").unwrap_or(value)),
        ("protocol", value) => append(line, "proto", value),
        ("dev", Value::String(name)) => {
            let name = DeviceName::from_bytes(name.as_bytes());
            let name = name.map_err(|error| format!("dev: {error}"))?;
            append(line, "dev", &Value::String(name.to_string()))
        }
        ("metric" | "table" | "from" | "tos" | "pref" | "encap" | "mtu", value) => {
            append(line, key, value)
        }
        (key, _) => Err(format!("the unknown key {key:?}")),
    }
}

/// Appends words.
fn append(line: &mut String, word: &str, value: &Value) -> Result<(), String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => {
            return Err(format!(
                "the value of {word:?} is neither text nor a number"
            ));
        }
    };
    if text.is_empty() || text.contains(|c: char| c.is_whitespace()) {
        return Err(format!("the value {text:?} is not one word"));
    }
    for text in [word, &text] {
        *line += text;
        *line += " ";
    }
    Ok(())
}
