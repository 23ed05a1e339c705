//! Servers that cannot start say why in one sentence, and leave nothing behind. Needs root.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::client::{self, OWNED_V4, SHARED_V4, SHARED_V6};
use support::server::{Server, WIREPATH, control_path, has_xdp, run_to_end, server_command};
use wirepath::netns::{Link, Network};
use wirepath_xdp::{Interface, Options, XdpDevice};

const BAD_CONFIGURATION: i32 = 2;
const ANYTHING_ELSE: i32 = 1;

fn network(label: &str) -> Network {
    Network::direct(label, &Link::default()).unwrap()
}

/// Exactly one line: who says it, and a sentence with these words in it.
fn check_sentence(said: &str, words: &[&str]) {
    let mut lines = said.lines();
    let sentence = lines.next().expect("it says something");
    assert!(sentence.starts_with("wirepath: "), "{said}");
    assert_eq!(lines.next(), None, "{said}");
    for word in words {
        assert!(sentence.contains(word), "{word} is not in: {said}");
    }
}

/// Runs a server that must end with this code and say these words.
fn refused(mut command: Command, code: i32, words: &[&str]) {
    let control = control_path();
    command.arg("--control").arg(&control);
    let (ended, said) = run_to_end(command);
    assert_eq!(ended, Some(code), "{said}");
    check_sentence(&said, words);
    assert!(!control.exists(), "the control socket is left: {said}");
}

/// No XDP program is on the interface, and the kernel would give the port to somebody else.
fn nothing_is_left(network: &Network) {
    assert!(!has_xdp(network.server.name()));
    let bind = || TcpListener::bind((SHARED_V4, 7));
    network.server.run(bind).unwrap().expect("the port is free");
}

#[test]
fn an_interface_that_is_not_there() {
    let network = network("no-interface");
    let mut command = network.server.command(WIREPATH);
    command.args(["echo", "--interface", "nowhere0"]);
    refused(command, BAD_CONFIGURATION, &["no interface nowhere0"]);
    nothing_is_left(&network);
}

#[test]
fn an_interface_without_an_address() {
    let network = network("no-address");
    let interface = Network::SERVER_INTERFACE;
    network
        .server
        .ip(&["address", "flush", "dev", interface])
        .unwrap();
    let command = server_command(&network.server, "echo", &[]);
    refused(
        command,
        BAD_CONFIGURATION,
        &["server0 has no address", "--address"],
    );
    assert!(!has_xdp(network.server.name()));
}

#[test]
fn an_mtu_too_large_for_the_frames() {
    let link = Link {
        mtu: 23_023,
        ..Link::default()
    };
    let network = Network::direct("mtu", &link).unwrap();
    let command = server_command(&network.server, "echo", &[]);
    refused(
        command,
        BAD_CONFIGURATION,
        &["MTU of server0 is 23023", "mtu 23022"],
    );
    nothing_is_left(&network);
}

#[test]
fn an_address_that_names_no_single_host() {
    let network = network("bad-address");
    for address in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
        let command = server_command(&network.server, "echo", &["--address", address]);
        refused(command, BAD_CONFIGURATION, &[address, "unicast"]);
    }
    nothing_is_left(&network);
}

#[test]
fn a_listener_at_an_address_that_nobody_has() {
    let network = network("nobody");
    let flags = ["--listen", "10.77.0.99:8080", "--to", "10.77.0.1:80"];
    let command = server_command(&network.server, "proxy", &flags);
    let words = [
        "10.77.0.99:8080 is not served here",
        "10.77.0.2",
        "--address 10.77.0.99",
    ];
    refused(command, BAD_CONFIGURATION, &words);
    nothing_is_left(&network);
}

#[test]
fn a_core_that_is_not_there() {
    let network = network("core");
    let command = server_command(&network.server, "echo", &["--cores", "4095"]);
    refused(command, BAD_CONFIGURATION, &["core 4095"]);
    nothing_is_left(&network);
}

#[test]
fn flags_that_make_no_sense() {
    let network = network("flags");
    let wrong: [&[&str]; 8] = [
        &["--no-such-flag"],
        &["--port", "0"],
        &["--port", "65536"],
        &["--port", "echo"],
        &["--address", "10.77.0"],
        &["--mode", "fast"],
        &["--max-connections", "0"],
        &["and", "more"],
    ];
    for arguments in wrong {
        let (code, said) = run_to_end(server_command(&network.server, "echo", arguments));
        assert_eq!(code, Some(BAD_CONFIGURATION), "{arguments:?}: {said}");
        // The parser's own form, with a hint on more lines.
        assert!(said.starts_with("error: "), "{arguments:?}: {said}");
    }
    for arguments in [&["echo"][..], &["no-such-command"], &[]] {
        let mut command = Command::new(WIREPATH);
        command.args(arguments);
        let (code, said) = run_to_end(command);
        assert_eq!(code, Some(BAD_CONFIGURATION), "{arguments:?}: {said}");
    }
    nothing_is_left(&network);
}

/// The program where everybody may run it; the file goes when the value does.
struct Public(PathBuf);

impl Public {
    fn new() -> Self {
        let path = control_path().with_extension("copy");
        std::fs::copy(WIREPATH, &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        // Nobody is hurt by a file that stays.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_user_without_privilege() {
    let network = network("nobody");
    let program = Public::new();
    // Ports below 1024 are a privilege too; and an owned address needs no port of the kernel's.
    let owned = OWNED_V4.to_string();
    let attempts: [(&[&str], &str); 3] = [
        (&["--port", "7007"], "permission denied"),
        (
            &["--port", "7007", "--address", &owned],
            "permission denied",
        ),
        (&["--port", "7"], "ermission denied"),
    ];
    for (arguments, words) in attempts {
        let mut command = network.server.command("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"])
            .arg(&program.0)
            .args(["echo", "--interface", Network::SERVER_INTERFACE])
            .args(arguments);
        refused(command, ANYTHING_ELSE, &[words]);
        nothing_is_left(&network);
    }
}

#[test]
fn an_interface_that_another_server_has() {
    let network = network("two-servers");
    let (shared, owned) = (SHARED_V4.to_string(), OWNED_V4.to_string());
    let first = Server::start(&network, "echo", &["-a", &shared, "-a", &owned]);
    let again = server_command(&network.server, "discard", &["-p", "7", "-a", &shared]);
    let words = ["server0 already has an XDP program"];
    // Not that the port is taken, of an address that the kernel has, which it is as well.
    refused(again, ANYTHING_ELSE, &words);
    let again = server_command(&network.server, "discard", &["-p", "7", "-a", &owned]);
    refused(again, ANYTHING_ELSE, &words);
    // The first has not noticed.
    for address in [SHARED_V4, OWNED_V4] {
        let stream = client::connect(&network.client, (address, 7));
        client::echo(&stream, 100_000, 7);
    }
    first.stop();
    nothing_is_left(&network);
}

#[test]
fn a_control_socket_that_another_server_has() {
    let network = network("two-sockets");
    let first = Server::start(&network, "echo", &[]);
    let control = first.control();
    let other = network.client.command(WIREPATH);
    let mut other = other;
    other
        .args([
            "echo",
            "--interface",
            Network::CLIENT_INTERFACE,
            "--control",
        ])
        .arg(control);
    let (code, said) = run_to_end(other);
    assert_eq!(code, Some(ANYTHING_ELSE), "{said}");
    check_sentence(&said, &["is running", "--control"]);
    first.stop();
}

#[test]
fn a_port_that_a_kernel_listener_has() {
    let network = network("listener");
    for listener in [
        (SHARED_V4, 7).into(),
        "0.0.0.0:7".parse().unwrap(),
        "[::]:7".parse().unwrap(),
    ] {
        let listener: SocketAddr = listener;
        let held = network
            .server
            .run(|| TcpListener::bind(listener))
            .unwrap()
            .unwrap();
        let command = server_command(&network.server, "echo", &["-a", &SHARED_V4.to_string()]);
        refused(
            command,
            ANYTHING_ELSE,
            &["port 7 of 10.77.0.2 is taken", "ss -tlnp"],
        );
        drop(held);
        nothing_is_left(&network);
    }
    let held = network.server.run(|| TcpListener::bind((SHARED_V6, 7)));
    let command = server_command(&network.server, "echo", &["-a", &SHARED_V6.to_string()]);
    refused(command, ANYTHING_ELSE, &["port 7 of fd77::2 is taken"]);
    drop(held);
    nothing_is_left(&network);
}

#[test]
fn a_queue_that_is_bound() {
    let network = network("queue");
    let open = || {
        let interface = Interface::find(Network::SERVER_INTERFACE).unwrap();
        XdpDevice::open(&interface, 0, &Options::default()).unwrap()
    };
    let held = network.server.run(open).unwrap();
    let command = server_command(&network.server, "echo", &[]);
    refused(command, ANYTHING_ELSE, &["queue 0 of server0 is taken"]);
    nothing_is_left(&network);
    drop(held);
    Server::start(&network, "echo", &[]).stop();
}

#[test]
fn a_control_socket_in_no_directory() {
    let network = network("no-directory");
    let mut command = server_command(&network.server, "echo", &["--control"]);
    command.arg("/no/such/directory/socket");
    let (code, said) = run_to_end(command);
    assert_eq!(code, Some(BAD_CONFIGURATION), "{said}");
    check_sentence(&said, &["/no/such/directory/socket", "--control"]);
    nothing_is_left(&network);
}

#[test]
fn a_list_of_connections_without_a_server() {
    let nowhere = control_path();
    let mut command = Command::new(WIREPATH);
    command.args(["ss", "--control"]).arg(&nowhere);
    let (code, said) = run_to_end(command);
    assert_eq!(code, Some(ANYTHING_ELSE), "{said}");
    check_sentence(&said, &["cannot reach a server", nowhere.to_str().unwrap()]);

    // With an empty /run, so that no other server of this host answers.
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none /run && exec \"$0\" ss";
    command
        .args(["--mount", "sh", "-c", script])
        .arg(Path::new(WIREPATH));
    let (code, said) = run_to_end(command);
    assert_eq!(code, Some(ANYTHING_ELSE), "{said}");
    check_sentence(&said, &["no server is running"]);
}
