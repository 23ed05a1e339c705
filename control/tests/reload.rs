//! Servers that a file tells what to do, and tells anew while they run. Needs root.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use support::client::{self, SHARED_V4};
use support::file::File;
use support::server::{Server, WIREPATH, control_path, run_to_end, server_command};
use support::wait_until;
use wirepath::netns::{Link, Network};

const ECHO: &str = "[[listener]]\nservice = \"echo\"\n";
const CHARGEN: &str = "[[listener]]\nservice = \"chargen\"\n";

fn network(label: &str) -> Network {
    let link = Link {
        queues: 2,
        ..Link::default()
    };
    Network::direct(label, &link).unwrap()
}

/// `wirepath serve -c FILE` with a shared address alone.
fn serve(network: &Network, file: &File, flags: &[&str]) -> Server {
    let address = SHARED_V4.to_string();
    let mut arguments = vec!["--config", file.path(), "--address", &address];
    arguments.extend(flags);
    Server::start(network, "serve", &arguments)
}

fn at(port: u16) -> SocketAddr {
    (SHARED_V4, port).into()
}

/// `wirepath reload` of this server.
fn reload(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(WIREPATH);
    command.arg("reload").args(arguments);
    command.arg("--control").arg(server.control());
    command.output().unwrap()
}

/// The difference that a reload tells.
#[track_caller]
fn reloaded(server: &Server, arguments: &[&str]) -> Vec<String> {
    let output = reload(server, arguments);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A reload that changes nothing, and says these words.
#[track_caller]
fn refused(server: &Server, code: i32, words: &[&str]) {
    let output = reload(server, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words.iter().chain(&["nothing has changed"]) {
        assert!(said.contains(word), "{word} is not in: {said}");
        // The log comes through a pipe, a moment later.
        server.wait_until_says(word);
    }
}

/// The congestion control of the connection from this end.
fn congestion(server: &Server, stream: &TcpStream) -> String {
    let local = stream.local_addr().unwrap();
    let flows = server.flows();
    let flow = flows.iter().find(|flow| flow.remote == local);
    flow.and_then(|flow| flow.details.clone())
        .unwrap()
        .congestion
}

/// Calls `change` while an old connection and many new ones to port 7 get all their bytes back.
fn under_load(network: &Network, change: impl FnOnce(&TcpStream)) {
    let end = &AtomicBool::new(false);
    let count = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let steady = client::connect(&network.client, at(7));
            let mut count = 0;
            while !end.load(Ordering::Relaxed) {
                client::ping(&steady, count);
                let stream = client::connect(&network.client, at(7));
                client::ping(&stream, count);
                client::reset(stream);
                count += 1;
            }
            count
        });
        {
            let _end = client::End(end);
            change(&client::connect(&network.client, at(7)));
        }
        load.join().unwrap()
    });
    assert!(count > 0);
}

#[test]
fn listeners_and_settings_change_under_load_and_nobody_is_lost() {
    let network = network("reload");
    let file = File::new(ECHO);
    let server = serve(&network, &file, &[]);
    under_load(&network, |old| {
        client::ping(old, 1);
        file.write(&format!(
            "drain = \"10s\"\ntcp.congestion = \"bbr\"\n{ECHO}{CHARGEN}"
        ));
        let changes = [
            "+ chargen at 10.77.0.2:19",
            "~ 10.77.0.2:7: congestion cubic -> bbr",
            "~ drain 3s -> 10s",
        ];
        assert_eq!(reloaded(&server, &["--preview"]), changes);
        client::try_connect(&network.client, at(19)).expect_err("a preview changes nothing");
        server.signal(Signal::HUP);
        server.wait_until_says("reload: ~ drain 3s -> 10s");
        changes
            .iter()
            .for_each(|change| server.wait_until_says(change));
        assert_eq!(reloaded(&server, &[]), ["nothing changes"]);

        let new = client::connect(&network.client, at(7));
        client::ping(&new, 2);
        assert_eq!(congestion(&server, &new), "bbr");
        assert_eq!(congestion(&server, old), "cubic");

        let mut chargen = client::connect(&network.client, at(19));
        chargen.read_exact(&mut [0; 1_000]).unwrap();
        file.write(&format!(
            "drain = \"10s\"\ntcp.congestion = \"bbr\"\n{ECHO}"
        ));
        assert_eq!(reloaded(&server, &[]), ["- chargen at 10.77.0.2:19"]);
        client::try_connect(&network.client, at(19)).expect_err("nobody listens there");
        chargen.read_exact(&mut [0; 100_000]).unwrap();
        client::ping(old, 3);
    });
    server.stop();
}

#[test]
fn connections_keep_their_service_when_a_reload_gives_the_port_to_another() {
    let network = network("reload-service");
    let file = File::new("[[listener]]\nservice = \"echo\"\nlisten = 4000\n");
    let server = serve(&network, &file, &[]);
    let old = client::connect(&network.client, at(4000));
    client::ping(&old, 1);
    file.write("[[listener]]\nservice = \"discard\"\nlisten = 4000\n");
    assert_eq!(
        reloaded(&server, &[]),
        ["~ 10.77.0.2:4000: service echo -> discard"]
    );
    let mut new = client::connect(&network.client, at(4000));
    new.write_all(b"nothing comes of it").unwrap();
    new.shutdown(Shutdown::Write).unwrap();
    assert_eq!(new.read(&mut [0; 64]).unwrap(), 0);
    client::ping(&old, 2);
    drop((old, new));
    server.stop();
}

#[test]
fn a_wrong_file_changes_nothing_and_is_told_by_line_and_key() {
    let network = network("reload-wrong");
    let file = File::new(ECHO);
    let server = serve(&network, &file, &[]);
    let path = file.path();
    let taken = network
        .server
        .run(|| TcpListener::bind(at(9)))
        .unwrap()
        .unwrap();
    under_load(&network, |old| {
        let wrong = |text: String, code, words: &[&str]| {
            file.write(&text);
            refused(&server, code, words);
            client::try_connect(&network.client, at(19)).expect_err("nobody listens there");
            let new = client::connect(&network.client, at(7));
            assert_eq!(congestion(&server, &new), "cubic");
            client::ping(old, 1);
        };
        let good = format!("tcp.congestion = \"bbr\"\n{ECHO}{CHARGEN}");
        wrong(format!("{good}[["), 2, &[&format!("{path}:7:3")]);
        wrong(
            format!("{good}tcp.min_rto = \"fast\"\n"),
            2,
            &[&format!(
                "{path}:7:15: listener[1].tcp.min_rto: is \"fast\", must be a time"
            )],
        );
        wrong(
            format!("workers = 1\nidle = \"spin\"\n{good}"),
            2,
            &["idle adaptive -> spin, workers auto -> 1 cannot change while the server runs"],
        );
        // Found out when the listener before it is already open.
        wrong(
            format!("{good}[[listener]]\nservice = \"discard\"\nlisten = 9\n"),
            1,
            &["port 9 of 10.77.0.2 is taken"],
        );
    });
    drop(taken);
    server.signal(Signal::HUP);
    server.wait_until_says("reload: + discard at 10.77.0.2:9");
    client::connect(&network.client, at(19));
    server.stop();
}

#[test]
fn flags_win_over_the_file_also_when_it_is_read_again() {
    let network = network("reload-flags");
    let file = File::new(&format!("workers = 2\n{ECHO}"));
    let server = serve(
        &network,
        &file,
        &["--workers", "1", "--congestion", "vegas"],
    );
    let stream = client::connect(&network.client, at(7));
    assert_eq!(congestion(&server, &stream), "vegas");
    assert_eq!(server.stats().workers.len(), 1);
    file.write(&format!(
        "workers = \"auto\"\n{ECHO}tcp.congestion = \"reno\"\n"
    ));
    assert_eq!(
        reloaded(&server, &[]),
        ["~ 10.77.0.2:7: congestion vegas -> reno"]
    );
    drop(stream);
    server.stop();
    let no_port = server_command(&network.server, "serve", &["-c", file.path(), "-p", "7"]);
    let (code, said) = run_to_end(no_port);
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn a_server_without_a_file_has_nothing_to_reload() {
    let network = network("reload-none");
    let server = Server::start(&network, "echo", &[]);
    let output = reload(&server, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("without a file"), "{said}");
    server.stop();
}

/// A server that was told to end, with a connection whose peer has got the FIN and does not close.
fn draining(network: &Network, drain: &str) -> (Server, TcpStream) {
    let file = File::new(&format!("drain = \"{drain}\"\n{ECHO}"));
    let server = serve(network, &file, &[]);
    let mut stream = client::connect(&network.client, at(7));
    client::ping(&stream, 1);
    server.signal(Signal::TERM);
    assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0);
    (server, stream)
}

/// The other end has ended the connection with a RST.
fn check_reset(stream: &TcpStream) {
    let reset = || stream.take_error().unwrap().is_some();
    wait_until("the connection is reset", reset);
}

#[test]
fn who_does_not_close_within_the_drain_is_reset() {
    let network = network("drain-deadline");
    let (mut server, stream) = draining(&network, "500ms");
    server.check_end();
    check_reset(&stream);
}

#[test]
fn a_second_signal_ends_the_drain_at_once() {
    let network = network("drain-twice");
    let (mut server, stream) = draining(&network, "1h");
    server.signal(Signal::INT);
    server.check_end();
    check_reset(&stream);
    assert!(server.log().contains("SIGINT again"), "{}", server.log());
}

#[test]
fn the_drain_ends_when_all_have_closed() {
    let network = network("drain-done");
    let (mut server, stream) = draining(&network, "1h");
    drop(stream);
    server.check_end();
    assert!(!server.log().contains("again"), "{}", server.log());
}

#[test]
fn a_service_manager_is_told_what_the_server_is_at() {
    let network = network("notify");
    let (file, control) = (File::new(ECHO), control_path());
    let path = control.with_extension("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let told = || {
        let mut text = [0; 256];
        let size = manager.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..size]).into_owned()
    };
    let mut command = server_command(&network.server, "serve", &["-c", file.path()]);
    command.env("NOTIFY_SOCKET", &path);
    let mut server = Server::spawn(&network, command, control);
    assert_eq!(told(), "READY=1\n");
    server.signal(Signal::HUP);
    let reloading = told();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(told(), "READY=1\n");
    server.signal(Signal::TERM);
    assert_eq!(told(), "STOPPING=1\n");
    server.check_end();
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_can_be_looked_at_without_a_server() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wirepath.toml");
    let look = |arguments: &[&str]| {
        Command::new(WIREPATH)
            .arg("config")
            .args(arguments)
            .output()
    };
    let checked = look(&["check", example]).unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let said = String::from_utf8(checked.stdout).unwrap();
    let expected = "would serve 192.0.2.1, 2001:db8::1 of eth0\n\
        would reach backends by eth1 too, from 198.51.100.1\n\
        would serve echo at port 7\nwould serve discard at 192.0.2.1:9000\n\
        would serve proxy at port 8080, to 192.0.2.10:80\n";
    // This machine may have neither interface.
    assert!(said.starts_with(expected), "{said}");

    let short = File::new(ECHO);
    let shown = look(&["show", short.path()]).unwrap();
    let whole = File::new("");
    fs::write(whole.path(), &shown.stdout).unwrap();
    assert_eq!(look(&["show", whole.path()]).unwrap().stdout, shown.stdout);
    let said = String::from_utf8(shown.stdout).unwrap();
    assert!(said.contains("congestion = \"cubic\""), "{said}");

    short.write("[tcp]\ninitial_window = 0\n");
    let wrong = look(&["check", short.path()]).unwrap();
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    let place = format!(
        "wirepath: {}:3:18: tcp.initial_window: is 0, must be",
        short.path()
    );
    assert!(said.starts_with(&place), "{said}");
    let missing = look(&["check", "/no/such/file"]).unwrap();
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
}

#[test]
fn a_file_is_checked_against_the_machine_it_is_for() {
    let network = network("file-here");
    let proxy = |backend: &str| {
        format!(
            "[[listener]]\nservice = \"proxy\"\nlisten = 80\npool = \"web\"\n[[pool]]\n\
            name = \"web\"\n[[pool.backend]]\naddress = \"{backend}\"\n"
        )
    };
    let cases = [
        (ECHO.to_owned(), None),
        (proxy("10.77.0.9:80"), None),
        (
            "[[listener]]\nservice = \"echo\"\nlisten = \"10.99.0.1:7\"\n".to_owned(),
            Some("10.99.0.1:7 is not served here"),
        ),
        (
            proxy("10.77.0.2:80"),
            Some("backend 10.77.0.2 is an address of this host"),
        ),
        (
            format!("metrics = \"10.9.9.9:80\"\n{ECHO}"),
            Some("metrics at 10.9.9.9:80: "),
        ),
        (
            format!("access_log = \"/no/such/log\"\n{ECHO}"),
            Some("access_log: there is no folder /no/such"),
        ),
        ("workers = 99\n".to_owned(), Some("99 workers")),
    ];
    for (text, obstacle) in cases {
        let file = File::new(&text);
        let mut check = network.server.command(WIREPATH);
        let checked = check
            .args(["config", "check", file.path()])
            .output()
            .unwrap();
        assert!(checked.status.success(), "{checked:?}");
        let said = String::from_utf8(checked.stdout).unwrap();
        let told = said.split_once("but not on this machine as it is: ");
        let told = told.map(|(_, told)| told.to_owned());
        match obstacle {
            None => assert_eq!(told, None),
            Some(start) => assert!(told.is_some_and(|it| it.starts_with(start)), "{said}"),
        }
    }
}
