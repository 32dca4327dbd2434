// SPDX-License-Identifier: MIT OR Apache-2.0
//! The language of the console: commands, and the codes of the replies.

pub mod codes;
mod complete;
mod device_word;
mod dhcp_line;
mod errors;
mod help;
mod host_name;
mod level;
mod limits;
mod link_line;
mod log_line;
mod parse;
mod port_line;
mod probe_line;
mod route_line;
mod setting;
mod table;
mod virtual_link_line;

pub use complete::{Suggestion, in_text, suggestions};
pub use device_word::listed;
pub use dhcp_line::shows_dhcp;
pub use errors::{GrammarError, GrammarErrorKind};
pub use help::markdown;
pub use host_name::HostName;
pub use level::Level;
pub use limits::{CONFIRM_SECONDS_MAX, GREETING_MAX, TERMINAL_SIZE_MAX};
pub use link_line::{any_device, neighbour};
pub use log_line::{Log, log};
pub use parse::{command, confirmed, nothing, one_of, one_word, size};
pub use probe_line::{Probe, probe};
pub use route_line::{route_words, within_family};
pub use setting::{Named, Setting, SettingChange, is_setting, made_link, setting, setting_change};
pub use table::{
    ALL, Action, Arguments, CODES, COMMANDS, CONFIRMED, COUNT, Command, GET_JSON, JSON, LONGER,
};
