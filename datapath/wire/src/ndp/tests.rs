use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::{Advertisement, HOP_LIMIT, Message, Solicitation, solicited_node};
use crate::Error;
use crate::ethernet::MacAddr;
use crate::fixtures::{hammer, header_icmpv6, sealed_icmpv6};
use crate::icmpv6;
use crate::ip::{Header, Packet};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const TARGET: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0xAB12, 0x3456);

fn header() -> Header {
    Header {
        hop_limit: HOP_LIMIT,
        ..header_icmpv6()
    }
}

fn solicitation() -> Message {
    Message::Solicitation(Solicitation {
        target: TARGET,
        source_mac: Some(MAC),
    })
}

fn advertisement() -> Message {
    Message::Advertisement(Advertisement {
        target: TARGET,
        target_mac: Some(MAC),
        is_router: false,
        is_solicited: true,
        is_override: true,
    })
}

fn bytes(header: &Header, message: &Message) -> Vec<u8> {
    let mut bytes = vec![0; 32];
    let len = message.emit(&mut bytes, header).unwrap();
    bytes.truncate(len);
    bytes
}

fn parse(header: Header, payload: &[u8]) -> Result<Message, Error> {
    match icmpv6::parse(&Packet { header, payload })? {
        icmpv6::Message::Neighbor(message) => Ok(message),
        other => panic!("not neighbor discovery: {other:?}"),
    }
}

#[test]
fn the_group_of_rfc_4291_2_7_1() {
    let address: Ipv6Addr = "4037::01:800:200e:8c6c".parse().unwrap();
    assert_eq!(
        solicited_node(address),
        "ff02::1:ff0e:8c6c".parse::<Ipv6Addr>().unwrap()
    );
}

#[test]
fn bytes_are_those_of_rfc_4861_4() {
    let target = TARGET.octets();
    let solicitation = bytes(&header(), &solicitation());
    let expected = [
        &[135, 0, 0, 0, 0, 0, 0, 0],
        &target[..],
        &[1, 1, 2, 0, 0, 0, 0, 1],
    ]
    .concat();
    assert_eq!(solicitation, sealed_icmpv6(expected));
    let advertisement = bytes(&header(), &advertisement());
    let expected = [
        &[136, 0, 0, 0, 0x60, 0, 0, 0],
        &target[..],
        &[2, 1, 2, 0, 0, 0, 0, 1],
    ]
    .concat();
    assert_eq!(advertisement, sealed_icmpv6(expected));
}

#[test]
fn unknown_options_are_skipped() {
    let plain = Message::Solicitation(Solicitation {
        target: TARGET,
        source_mac: None,
    });
    let mut message = bytes(&header(), &plain);
    message.extend([14, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend([1, 1, 2, 0, 0, 0, 0, 1]);
    assert_eq!(parse(header(), &sealed_icmpv6(message)), Ok(solicitation()));
}

#[test]
fn a_probe_for_duplicates() {
    let probe = Message::Solicitation(Solicitation {
        target: TARGET,
        source_mac: None,
    });
    let header = Header {
        source: Ipv6Addr::UNSPECIFIED.into(),
        destination: solicited_node(TARGET).into(),
        ..header()
    };
    assert_eq!(parse(header, &bytes(&header, &probe)), Ok(probe));
    // It must not say where it is, and must go to the group.
    assert_eq!(
        parse(header, &bytes(&header, &solicitation())),
        Err(Error::NdpInvalid)
    );
    let to_host = Header {
        destination: TARGET.into(),
        ..header
    };
    assert_eq!(
        parse(to_host, &bytes(&to_host, &probe)),
        Err(Error::NdpInvalid)
    );
}

#[test]
fn the_checks_of_rfc_4861_7_1() {
    let routed = Header {
        hop_limit: HOP_LIMIT - 1,
        ..header()
    };
    for message in [solicitation(), advertisement()] {
        let good = bytes(&header(), &message);
        assert_eq!(parse(routed, &good), Err(Error::NdpInvalid));
        let mut code = good.clone();
        code[1] = 1;
        let mut group = good.clone();
        group[8] = 0xFF;
        let mut no_length = good.clone();
        no_length[25] = 0;
        let mut long_option = good.clone();
        long_option[25] = 2;
        let cases = [
            code,
            group,
            no_length,
            long_option,
            good[..23].into(),
            good[..31].into(),
        ];
        for changed in cases {
            let changed = sealed_icmpv6(changed);
            assert_eq!(
                parse(header(), &changed),
                Err(Error::NdpInvalid),
                "{changed:?}"
            );
        }
    }
    let to_group = Header {
        destination: solicited_node(TARGET).into(),
        ..header()
    };
    let answer = bytes(&to_group, &advertisement());
    assert_eq!(parse(to_group, &answer), Err(Error::NdpInvalid));
}

#[test]
fn no_input_panics() {
    for message in [solicitation(), advertisement()] {
        hammer(&bytes(&header(), &message), |changed| {
            (changed.len() >= 8).then(|| {
                let payload = sealed_icmpv6(changed.to_vec());
                icmpv6::parse(&Packet {
                    header: header(),
                    payload: &payload,
                })
                .is_ok()
            })
        });
    }
}

#[test]
fn short_buffers() {
    for len in 0..32 {
        assert_eq!(solicitation().emit(&mut vec![0; len], &header()), None);
    }
}

proptest! {
    #[test]
    fn parse_inverts_emit(
        target in any::<[u8; 16]>().prop_filter("multicast", |octets| octets[0] != 0xFF),
        mac: Option<[u8; 6]>,
        flags: Option<[bool; 3]>,
    ) {
        let (target, mac) = (Ipv6Addr::from(target), mac.map(MacAddr));
        let message = match flags {
            None => Message::Solicitation(Solicitation { target, source_mac: mac }),
            Some([is_router, is_solicited, is_override]) => {
                Message::Advertisement(Advertisement {
                    target,
                    target_mac: mac,
                    is_router,
                    is_solicited,
                    is_override,
                })
            }
        };
        prop_assert_eq!(parse(header(), &bytes(&header(), &message)), Ok(message));
    }
}
