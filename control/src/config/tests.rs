//! Configurations as people write them.

use std::path::Path;

use wirepath_apps::Service;
use wirepath_tcp::config::{Config, CongestionControl};

use super::diff::{Diff, settings};
use super::{
    BackendEntry, CheckEntry, Configuration, PoolEntry, Source, TcpSettings, server_defaults,
};

const EXAMPLE: &str = include_str!("../../../docs/wirepath.toml");

fn load(text: &str) -> Result<Configuration, String> {
    let file = Path::new("a.toml");
    let configuration = Configuration::parse(text, file);
    let checked = configuration.and_then(|it| it.check(text, file).map(|()| it));
    checked.map_err(|error| error.to_string())
}

/// The sentence begins so, with the file, line and column first.
#[track_caller]
fn refused(text: &str, sentence: &str) {
    let said = load(text).expect_err(text);
    assert!(said.starts_with(sentence), "{said}\nis not\n{sentence}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// The keys of a table and of its tables.
fn keys(prefix: &str, table: &toml::Table) -> Vec<String> {
    let key = |(key, value): (&String, &toml::Value)| match value {
        toml::Value::Table(table) => keys(&format!("{prefix}{key}."), table),
        toml::Value::Array(_) if ["listener", "pool"].contains(&key.as_str()) => Vec::new(),
        _ => vec![format!("{prefix}{key}")],
    };
    table.iter().flat_map(key).collect()
}

#[test]
fn the_example_says_every_setting_and_its_default() {
    let example = load(EXAMPLE).unwrap();
    let said: toml::Table = EXAMPLE.parse().unwrap();
    let default = Configuration {
        control: example.control.clone(),
        metrics: example.metrics,
        access_log: example.access_log.clone(),
        back: example.back.clone(),
        ..Configuration::default()
    };
    let all: toml::Table = default.effective().to_toml().unwrap().parse().unwrap();
    assert_eq!(keys("", &said), keys("", &all));
    for (key, value) in &said {
        if !["interface", "addresses", "back", "listener", "pool"].contains(&key.as_str()) {
            assert_eq!(value, &all[key], "{key}");
        }
    }
}

#[test]
fn the_example_says_every_setting_of_a_pool_and_its_default() {
    let example = load(EXAMPLE).unwrap();
    let said: toml::Table = EXAMPLE.parse().unwrap();
    let said = said["pool"][0].as_table().unwrap();
    let default = PoolEntry {
        source_address: example.pools[0].source_address,
        tcp: example.pools[0].tcp.clone(),
        check: Some(CheckEntry::default()),
        backends: vec![BackendEntry::new(example.pools[0].backends[0].address)],
        name: "web".to_owned(),
        ..PoolEntry::default()
    };
    assert_eq!(said, &toml::Table::try_from(default).unwrap());
}

#[test]
fn what_is_written_is_what_is_read() {
    let example = load(EXAMPLE).unwrap();
    let again = load(&example.effective().to_toml().unwrap()).unwrap();
    assert_eq!(again, example.effective());
    assert_eq!(again.options().tcp, example.options().tcp);
    assert_eq!(again.options().listeners, example.options().listeners);
    let nothing = TcpSettings::default().over(Config::default());
    assert_eq!(nothing, Config::default());
    let all = TcpSettings::of(&server_defaults()).over(Config::default());
    assert_eq!(all, server_defaults());
}

#[test]
fn a_listener_has_what_it_says_and_else_what_all_have() {
    let text = "interface = \"eth0\"\n\
        tcp = { congestion = \"vegas\", keep_alive = \"off\", dsack = false }\n\
        [[listener]]\nservice = \"echo\"\n\
        [[listener]]\nservice = \"chargen\"\nlisten = \"[fd77::2]:4000\"\n\
        [listener.tcp]\ncongestion = \"bbr\"\nnagle = true\n";
    let listeners = load(text).unwrap().options().listeners;
    let [echo, chargen] = listeners.as_slice() else {
        panic!("{listeners:?}");
    };
    assert_eq!((echo.address, echo.port), (None, 7));
    assert_eq!(echo.settings.role, Service::Echo.into());
    assert_eq!(echo.settings.tcp.congestion, CongestionControl::Vegas);
    assert_eq!(echo.settings.tcp.keep_alive, None);
    assert_eq!(chargen.address, "fd77::2".parse().ok());
    let expected = Config {
        congestion: CongestionControl::Bbr,
        nagle: true,
        ..echo.settings.tcp
    };
    assert_eq!((chargen.port, chargen.settings.tcp), (4000, expected));
}

#[test]
fn what_is_wrong_is_told_with_line_column_key_and_what_is_allowed() {
    refused("interface = eth0", "a.toml:1:13: ");
    refused(
        "interface = 7",
        "a.toml:1:13: interface: invalid type: integer `7`, expected a string",
    );
    refused(
        "interface = \"eth0\"\nback = \"eth1\"\n",
        "a.toml:2:8: back: invalid type: string \"eth1\", expected a table [back]",
    );
    refused(
        "interface = \"eth0\"\n\n  congestion = \"bbr\"\n",
        "a.toml:3:3: congestion: unknown field `congestion`, expected one of `interface`, ",
    );
    refused(
        "interface = \"eth0\"\n[tcp]\n# what?\ncongestion = \"fast\"\n",
        "a.toml:4:14: tcp.congestion: unknown variant `fast`, expected one of `cubic`, `reno`, ",
    );
    refused(
        "interface = \"eth0\"\ntcp.max_rto = \"30s\"\n",
        "a.toml:2:15: tcp.max_rto: is \"30s\", must be a time from 1m to 1h",
    );
    refused(
        "interface = \"eth0\"\nworkers = 0\n",
        "a.toml:2:11: workers: is 0, must be \"auto\" or a number from 1 to 255",
    );
    refused(
        "interface = \"eth0\"\n[[listener]]\nservice = \"echo\"\n\
            [[listener]]\nservice = \"gopher\"\n",
        "a.toml:5:11: listener[1].service: unknown variant `gopher`, expected one of `echo`, ",
    );
    refused(
        "interface = \"eth0\"\n[[listener]]\nservice = \"echo\"\nlisten = \"7\"\n",
        "a.toml:4:10: listener[0].listen: is \"7\", must be a port from 1 to 65535, or ",
    );
    let backend = |address: &str| {
        format!(
            "interface = \"eth0\"\n[[pool]]\nname = \"web\"\n\
            [[pool.backend]]\naddress = \"{address}\"\n"
        )
    };
    for address in ["10.77.2.2", "example.com:80", "10.77.2.2:0"] {
        let said = format!("a.toml:5:11: pool[0].backend[0].address: is {address:?}, must be ADD");
        refused(&backend(address), &said);
    }
    refused(
        &backend("127.0.0.1:80"),
        "a.toml:5:1: pool[0].backend[0].address: 127.0.0.1:80 is this host itself, must be ",
    );
    refused(
        "interface = \"eth0\"\n[[listener]]\nservice = \"echo\"\nallow = [\"10.0.0.0/33\"]\n",
        "a.toml:4:10: listener[0].allow[0]: is \"10.0.0.0/33\", must be a network such as ",
    );
    refused(
        "interface = \"eth0\"\n[[listener]]\nlisten = 7\n",
        "a.toml:2:1: listener[0]: missing field `service`",
    );
    refused(
        "interface = \"eth0\"\naddresses = [\"10.0.0.1\", \"10.0.0\"]\n",
        "a.toml:2:26: addresses[1]: invalid IP address",
    );
}

#[test]
fn what_only_the_whole_shows_is_told_with_line_and_key() {
    refused(
        "drain = \"1s\"\n",
        "a.toml: interface: is missing, must name a network interface",
    );
    refused(
        "interface = \"eth0\"\naddresses = [\"10.0.0.1\",\n  \"224.0.0.1\"]\n",
        "a.toml:3:3: addresses[1]: 224.0.0.1 names no single host, must be unicast",
    );
    refused(
        "interface = \"eth0\"\n[back]\ninterface = \"eth0\"\n",
        "a.toml:3:1: back.interface: \"eth0\" is the interface that is served in front already",
    );
    refused(
        "interface = \"eth0\"\n[back]\nqueues = \"0\"\n",
        "a.toml:2:2: back.interface: is missing, must name a network interface",
    );
    refused(
        "interface = \"eth0\"\naddresses = [\"10.0.0.1\"]\n\
            [back]\ninterface = \"eth1\"\naddresses = [\"10.0.0.1\"]\n",
        "a.toml:5:14: back.addresses[0]: 10.0.0.1 is there already",
    );
    refused(
        "interface = \"eth0\"\n[device]\nring_size = 1000\n",
        "a.toml:3:1: device.ring_size: must be a power of two",
    );
    let listeners = "[[listener]]\nservice = \"echo\"\nlisten = 9\n\
        [[listener]]\nservice = \"discard\"\n";
    refused(
        &format!("interface = \"eth0\"\n{listeners}"),
        "a.toml:5:1: listener[1].listen: port 9 is listened at by listener[0] already",
    );
    refused(
        "interface = \"eth0\"\naddresses = [\"10.0.0.1\"]\n\
            [[listener]]\nservice = \"echo\"\nlisten = \"10.0.0.2:7\"\n",
        "a.toml:5:1: listener[0].listen: 10.0.0.2 is not served, must be one of addresses",
    );
}

#[test]
fn endpoints_of_different_addresses_are_two_listeners() {
    let text = "interface = \"eth0\"\n\
        [[listener]]\nservice = \"echo\"\nlisten = \"10.0.0.1:7\"\n\
        [[listener]]\nservice = \"discard\"\nlisten = \"10.0.0.2:7\"\n";
    assert_eq!(load(text).unwrap().options().listeners.len(), 2);
}

#[test]
fn pools_and_backends_that_come_and_go_have_signs() {
    let pool = |name: &str, backends: &[u8]| {
        let backend = |last| format!("[[pool.backend]]\naddress = \"10.9.0.{last}:80\"\n");
        let backends: String = backends.iter().map(backend).collect();
        format!("[[pool]]\nname = \"{name}\"\n{backends}")
    };
    let file = |pools: &[String]| {
        let text = format!("interface = \"eth0\"\n{}", pools.concat());
        load(&text).unwrap()
    };
    let running = file(&[pool("web", &[1, 2]), pool("old", &[3])]);
    let wanted = file(&[pool("web", &[2, 4]), pool("new", &[3])]);
    let diff = Diff {
        settings: settings(&running, &wanted).0,
        ..Diff::default()
    };
    let text = diff.to_string();
    let starts = [
        "+ pool.new none -> {",
        "- pool.old {",
        "- pool.web.10.9.0.1:80 {",
        "+ pool.web.10.9.0.4:80 none -> {",
    ];
    for start in starts {
        let found = text.lines().filter(|line| line.starts_with(start));
        assert_eq!(found.count(), 1, "{start} in {text}");
    }
    assert_eq!(text.lines().count(), starts.len(), "{text}");
}

#[test]
fn what_is_no_regular_file_or_too_long_is_not_read() {
    let said = |file: &Path| Source::file(file).load().unwrap_err().to_string();
    let zeros = said(Path::new("/dev/zero"));
    assert_eq!(zeros, "cannot read /dev/zero: it is no regular file");
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(2 << 20).unwrap();
    assert!(said(file.path()).ends_with("it is longer than a MiB"));
}

#[test]
fn a_file_that_is_no_utf_8_is_refused_with_line_and_column() {
    let text = b"interface = \"eth0\"\ndrain = \"3\xe9s\"\n".to_vec();
    let error = super::place::text(text, Path::new("w.toml")).unwrap_err();
    let said = error.to_string();
    assert_eq!(
        said,
        "w.toml:2:11: byte 0xe9 is no UTF-8: save the file as UTF-8"
    );
}

#[test]
fn what_a_running_server_cannot_change_is_named() {
    let running = load("interface = \"eth0\"\nworkers = 2\n").unwrap();
    let wanted = "interface = \"eth0\"\ndrain = \"10s\"\n[limits]\ntext = \"128MiB\"\n\
        [tcp]\ncongestion = \"bbr\"\n[[listener]]\nservice = \"echo\"\n";
    let (changeable, fixed) = settings(&running, &load(wanted).unwrap());
    let lines = |changes: &[super::SettingChange]| -> Vec<String> {
        changes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(lines(&changeable), ["drain 3s -> 10s"]);
    assert_eq!(
        lines(&fixed),
        ["limits.text 256MiB -> 128MiB", "workers 2 -> auto"]
    );
}
