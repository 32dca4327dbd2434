// SPDX-License-Identifier: MIT OR Apache-2.0
//! The benchmark measures; how well nl31 does is for a quiet machine to say.

use nl31_lab::bench::Bench;
use nl31_lab::forward_bench::ForwardBench;
use nl31_lab::{Image, prefixes};

#[test]
fn everything_is_measured_of_both_tables_in_both_families() {
    let bench = Bench::run(Image::shared(), &prefixes::made(3000), 1).expect("figures");
    let rows: Vec<serde_json::Value> = bench
        .json()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for family in ["IPv4", "IPv6"] {
        for measure in [
            "add_batched",
            "add_listened",
            "add_acked",
            "dump",
            "get",
            "delete_all",
        ] {
            let row = rows
                .iter()
                .find(|row| row["family"] == family && row["measure"] == measure)
                .unwrap_or_else(|| panic!("no {measure} of {family}"));
            for column in ["rtnetlink", "nl31", "ratio"] {
                let value = row[column].as_f64().expect("a number");
                assert!(value.is_finite() && value > 0.0, "{row}");
            }
        }
    }
    let text = bench.to_string();
    assert!(text.contains("| IPv6 | dump | routes/s |"), "{text}");
    assert_eq!(bench.svg().matches("<rect").count(), 1 + 2 * 9);
}

#[test]
fn forwarding_is_measured_beside_linux() {
    let bench = ForwardBench::run(&prefixes::made(3000)).expect("figures");
    let json = bench.json().expect("all that is promised");
    let rows: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 8);
    for row in rows {
        for column in ["linux", "nl31", "times_faster", "goal"] {
            let value = row[column].as_f64().expect("a number");
            assert!(value.is_finite() && value > 0.0, "{row}");
        }
    }
    let text = bench.to_string();
    assert!(text.contains("| any of the table | IPv6 |"), "{text}");
}
