// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the appliance does from power on, with a config and through the agent's death.

use std::path::Path;

use nl31_lab::prefixes::{self, Route};
use nl31_lab::{Arch, Guest, Image, Setup, Severity, client, console, figures};

nl31_lab::on_each_architecture! {
    a_config_with_1000_routes_is_in_the_kernel_at_the_prompt
    a_config_with_1000_routes_of_the_real_table_is_in_the_kernel_at_the_prompt
    a_killed_agent_is_back_and_the_table_is_untouched
    a_wrong_line_in_the_config_is_named_by_line_and_column_and_the_prompt_comes_up
    the_agent_stays_within_its_memory_with_1000_routes
    a_link_that_comes_late_is_switched_on
    a_route_whose_device_goes_is_kept_and_works_again_when_it_comes_back
    version_tells_image_host_and_boot
    nothing_runs_from_memory_file_systems_or_with_set_uid_bit
    save_is_told_to_be_in_memory_only
}

/// A guest with the client, and `config`.
fn guest(arch: Arch, config: &str) -> Guest {
    let setup = Setup {
        config: Some(config.to_owned()),
        share: Some(client::build(arch).expect("the client")),
        ..Setup::default()
    };
    Guest::start(Image::shared_for(arch), &setup).expect("a guest")
}

/// The kernel's table, by the independent client.
fn dump(guest: &mut Guest) -> Vec<String> {
    let output = guest
        .exec("/mnt/share/nl31 dump")
        .expect("to run the client");
    assert_eq!(
        output.status,
        0,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(str::to_owned)
        .collect()
}

/// What [`dump`] must say for `routes`.
fn expected(guest: &mut Guest, routes: &[Route]) -> Vec<String> {
    let index = guest
        .exec("cat /sys/class/net/eth0/ifindex")
        .expect("to run");
    let index = String::from_utf8(index.stdout).expect("text");
    let mut routes = routes.to_vec();
    routes.sort();
    let line = |route: &Route| {
        let Route {
            prefix,
            gateway,
            metric,
        } = route;
        format!(
            "{prefix} type 1 via {gateway} oif {} metric {metric}",
            index.trim()
        )
    };
    routes.iter().map(line).collect()
}

fn assert_same(found: &[String], expected: &[String]) {
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "route {number} of {}", expected.len());
    }
    assert_eq!(found.len(), expected.len());
}

fn boots_with(arch: Arch, table: &[prefixes::Prefix]) {
    let routes = prefixes::routes(table);
    let mut guest = guest(arch, &prefixes::config(&routes));
    let expected = expected(&mut guest, &routes);
    assert_same(&dump(&mut guest), &expected);
}

fn a_config_with_1000_routes_is_in_the_kernel_at_the_prompt(arch: Arch) {
    boots_with(arch, &prefixes::made(1000));
}

fn a_config_with_1000_routes_of_the_real_table_is_in_the_kernel_at_the_prompt(arch: Arch) {
    // the real table is not part of the project: without it, a larger made one
    let table = match std::env::var_os("NL31_PREFIXES") {
        Some(file) => prefixes::read(Path::new(&file)).expect("the file NL31_PREFIXES names"),
        None => prefixes::made(5000),
    };
    boots_with(arch, &prefixes::sample(&table, 1000));
}

fn a_killed_agent_is_back_and_the_table_is_untouched(arch: Arch) {
    let routes = prefixes::routes(&prefixes::made(1000));
    let mut guest = guest(arch, &prefixes::config(&routes));
    let added = guest
        .command("route add 198.51.100.0/24 via 192.0.2.1 dev eth0")
        .expect("a reply");
    assert!(added.succeeded(), "{added}");
    let before = dump(&mut guest);
    let old = guest.exec("pidof nl31-agent").expect("to run").stdout;

    guest
        .replace_agent("kill -9 $(pidof nl31-agent)")
        .expect("the next agent");
    let new = guest.exec("pidof nl31-agent").expect("to run").stdout;
    assert_ne!(old, new);
    assert_same(&dump(&mut guest), &before);
    let reply = guest.command("route get 198.51.100.7").expect("a reply");
    assert!(reply.succeeded(), "{reply}");
    assert_same(&dump(&mut guest), &before);
}

fn a_wrong_line_in_the_config_is_named_by_line_and_column_and_the_prompt_comes_up(arch: Arch) {
    let config = "# comment\n10.0.0.0/8 via 192.0.2.1 dev eth0\n11.0.0.0/8 via nonsense\n";
    let mut guest = Guest::boot_shipped(Image::shared_for(arch), Some(config)).expect("a boot");
    let screen = console::render(guest.console.transcript());
    let place = "/etc/nl31/routes.conf:3:16:";
    assert!(
        screen.iter().any(|line| line.contains(place)),
        "{place} is not in {screen:#?}"
    );
    assert!(guest.command("ping").expect("a reply").succeeded());
}

#[test]
fn the_image_keeps_to_its_sizes() {
    let sizes = figures::Sizes::of(Image::shared()).expect("the sizes");
    assert!(sizes.agent <= figures::AGENT_LIMIT, "{sizes}");
    assert!(sizes.kernel + sizes.rootfs <= 4 * 1024 * 1024, "{sizes}");
}

fn the_agent_stays_within_its_memory_with_1000_routes(arch: Arch) {
    let routes = prefixes::routes(&prefixes::made(1000));
    let resident =
        figures::resident_kib(&mut guest(arch, &prefixes::config(&routes))).expect("a figure");
    assert!(resident <= figures::RESIDENT_LIMIT, "{resident} KiB");
}

fn a_route_whose_device_goes_is_kept_and_works_again_when_it_comes_back(arch: Arch) {
    let mut guest = guest(arch, "10.0.0.0/8 dev eth0\n11.0.0.0/8 dev dummy7\n");
    let run = |guest: &mut Guest, command: &str| {
        let output = guest.exec(command).expect("to run");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status, 0, "{command}: {said}");
    };
    let is_listed = |guest: &mut Guest, expected: &str| {
        let reply = guest.command("route show 11.0.0.0/8").expect("a reply");
        assert_eq!(reply.data().collect::<Vec<_>>(), [expected]);
    };
    is_listed(&mut guest, "11.0.0.0/8 dev dummy7 dead linkdown");
    for _ in 0..2 {
        run(
            &mut guest,
            "ip link add dummy7 type dummy && ip link set dummy7 up",
        );
        is_listed(&mut guest, "11.0.0.0/8 dev dummy7");
        let reply = guest.command("route get 11.0.0.1").expect("a reply");
        assert!(reply.succeeded(), "{reply}");
        run(&mut guest, "ip link del dummy7");
        is_listed(&mut guest, "11.0.0.0/8 dev dummy7 dead linkdown");
        let reply = guest.command("route get 11.0.0.1").expect("a reply");
        assert!(!reply.succeeded(), "{reply}");
        let reply = guest.command("save").expect("a reply");
        assert!(reply.to_string().contains("saved 2 routes"), "{reply}");
        run(
            &mut guest,
            "grep -qx '11.0.0.0/8 dev dummy7' /data/nl31/routes.conf",
        );
    }
}

fn a_link_that_comes_late_is_switched_on(arch: Arch) {
    let mut guest = guest(arch, "");
    // As a device behind a hub comes, or one that is plugged in. Where the lab is reached
    // over it, it has lost its address too.
    let again = "cd /sys/bus/virtio/drivers/virtio_net && \
        device=$(readlink /sys/class/net/eth0/device) && device=${device##*/} && \
        echo $device >unbind && echo $device >bind && \
        until [ $(($(cat /sys/class/net/eth0/flags) & 1)) = 1 ]; do sleep 1; done && \
        { [ -e /sys/class/virtio-ports ] || ip addr add 10.0.2.15/24 dev eth0; }";
    let output = guest.exec(again).expect("to run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status, 0, "{said}");
    // One that was switched off stays so.
    let off = "ip link set eth0 down && sleep 5; flags=$(cat /sys/class/net/eth0/flags); \
        ip link set eth0 up && [ $((flags & 1)) = 0 ]";
    assert_eq!(guest.exec(off).expect("to run").status, 0);
}

fn version_tells_image_host_and_boot(arch: Arch) {
    let mut guest = guest(arch, "");
    let mut value = |command: &str| {
        let output = guest.exec(command).expect("to run");
        assert_eq!(output.status, 0, "{command}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.trim().to_owned()
    };
    let build = value("sed -n 's/^BUILD_ID=//p' /etc/os-release");
    let boot = value("cat /proc/sys/kernel/random/boot_id");
    let reply = guest.command("version").expect("a reply");
    let lines: Vec<&str> = reply.data().collect();
    for line in [
        format!("image {} {build}", env!("CARGO_PKG_VERSION")),
        "host nl31".to_owned(),
        format!("boot {boot}"),
    ] {
        assert!(lines.contains(&&*line), "{line}: {reply}");
    }
}

fn nothing_runs_from_memory_file_systems_or_with_set_uid_bit(arch: Arch) {
    let mut guest = guest(arch, "");
    let mut run = |command: &str| {
        let output = guest.exec(command).expect("to run");
        let said = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&said).into_owned())
    };
    for folder in ["/run", "/tmp", "/run/nl31"] {
        let (status, said) = run(&format!(
            "cp /bin/busybox {folder}/sh && {folder}/sh -c true; status=$?; \
             rm {folder}/sh || exit 1; exit $status"
        ));
        assert_eq!(status, 126, "{folder}: {said}");
        assert!(said.contains("Permission denied"), "{folder}: {said}");
    }
    let privileged = run("find / -xdev -type f '(' -perm -4000 -o -perm -2000 ')'");
    assert_eq!(privileged, (0, String::new()));
    let (_, restricted) = run("cat /proc/sys/kernel/kptr_restrict");
    assert_eq!(restricted, "2\n");
}

fn save_is_told_to_be_in_memory_only(arch: Arch) {
    let mut guest = guest(arch, "");
    let saved = guest.command("save").expect("a reply");
    let status = saved.status.as_ref().expect("a status");
    assert_eq!(
        (status.severity, status.code),
        (Severity::Warning, 210),
        "{saved}"
    );
    let version = guest.command("version").expect("a reply");
    let line = "storage memory, lost at a reboot";
    assert!(version.data().any(|is| is == line), "{version}");
}
