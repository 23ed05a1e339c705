/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the program decides about a frame: VERDICT(name, action, help), one a line. Both sides read
 * this table: C as an X-macro, the build script to write the enum of the Rust side.
 *
 * PASS leaves the frame to the kernel, DROP ends it, and REDIRECT hands it to the socket of its
 * queue or, for want of one, turns it into no_socket: a frame of ours never reaches the kernel,
 * which would answer it with RST.
 */
VERDICT(passed, PASS, "not ours: left to the kernel, untouched")
VERDICT(listener, REDIRECT, "TCP to a listener")
VERDICT(active_open, REDIRECT, "TCP to a port of the range for active opens")
VERDICT(owned_port, REDIRECT, "TCP to any other port of an owned address")
VERDICT(arp, REDIRECT, "ARP for an owned address")
VERDICT(ndp, REDIRECT, "neighbor solicitation or advertisement for an owned address")
VERDICT(icmp, REDIRECT, "ICMP or ICMPv6 echo or error to an owned address")
VERDICT(icmp_quote, REDIRECT, "ICMP error to a shared address that quotes a segment of ours")
VERDICT(no_socket, DROP, "ours, but no socket is bound to the queue")
VERDICT(fragment, DROP, "ours, but an IP fragment")
VERDICT(denied, DROP, "SYN of a peer that the list of the listener keeps off")
VERDICT(malformed, DROP, "ours, but cut short or contradicting itself")
