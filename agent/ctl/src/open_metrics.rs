// SPDX-License-Identifier: MIT OR Apache-2.0
//! Metrics as text of OpenMetrics 1.0, which Prometheus reads.

use std::fmt::{self, Display, Write as _};

/// The media type of the text.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether a metric can fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that can rise and fall.
    Gauge,
    /// A count that only a restart makes smaller.
    Counter,
}

/// A text that grows family by family.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    text: String,
    /// The name of the family whose samples are added.
    name: &'static str,
    suffix: &'static str,
}

/// The units of which a name ends with.
const UNITS: [&str; 2] = ["bytes", "seconds"];

impl Exposition {
    /// Begins a family. A name that ends with a unit has this unit; a counter's has no
    /// `_total`, which its samples get.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let (word, suffix) = match kind {
            Kind::Gauge => ("gauge", ""),
            Kind::Counter => ("counter", "_total"),
        };
        (self.name, self.suffix) = (name, suffix);
        self.add(format_args!("# TYPE {name} {word}\n"));
        let unit = name.rsplit_once('_').map_or("", |(_, unit)| unit);
        if UNITS.contains(&unit) {
            self.add(format_args!("# UNIT {name} {unit}\n"));
        }
        self.add(format_args!("# HELP {name} {help}\n"));
    }

    /// Adds a sample of the family that was begun last.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let (name, suffix) = (self.name, self.suffix);
        self.add(format_args!("{name}{suffix}"));
        for (number, (name, value)) in labels.iter().enumerate() {
            let separator = if number == 0 { '{' } else { ',' };
            self.add(format_args!("{separator}{name}=\"{}\"", Escaped(value)));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.add(format_args!("{end} {value}\n"));
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }

    fn add(&mut self, text: fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a string takes all");
    }
}

/// The value of a label; a device may be called almost anything.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' => f.write_str("\\n"),
            '"' | '\\' => write!(f, "\\{c}"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_type_unit_and_help_and_the_text_an_end() {
        let mut text = Exposition::default();
        text.family("a_bytes", Kind::Gauge, "Size.");
        text.sample(&[], 7);
        text.family("b", Kind::Counter, "Count.");
        text.sample(&[("dev", "a\"\\\nb"), ("x", "é")], 8);
        text.family("c", Kind::Gauge, "Nothing has it.");
        assert_eq!(
            text.finish(),
            "# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n# HELP a_bytes Size.\na_bytes 7\n\
             # TYPE b counter\n# HELP b Count.\nb_total{dev=\"a\\\"\\\\\\nb\",x=\"é\"} 8\n\
             # TYPE c gauge\n# HELP c Nothing has it.\n# EOF\n"
        );
    }
}
