use super::*;

fn receiver(url: &str, allowed: &str) -> Result<Receiver, String> {
    Receiver::parse(url, &AllowList::parse(allowed).unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// First and last address of each range that is not public.
const NOT_PUBLIC: [&str; 68] = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.9",
    "203.0.113.9",
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "::ffff:0.0.0.0",
    "::ffff:192.168.1.1",
    "::ffff:172.16.0.1",
    "::ffff:224.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];

#[test]
fn what_is_not_public() {
    for near in NOT_PUBLIC {
        assert!(!is_public(ip(near)), "{near}");
    }
}

#[test]
fn what_is_public() {
    for far in [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2001:db7::1",
        "2001:db9::1",
        "2606:4700::1111",
        "3ffe::1",
        "3fff:1000::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ] {
        assert!(is_public(ip(far)), "{far}");
    }
}

#[test]
fn addresses_that_are_taken() {
    for (url, sent_to, label) in [
        ("https://a.example", "https://a.example:443/", "https://a.example:443#"),
        ("HTTPS://A.Example/x?y=1", "https://a.example:443/x?y=1", "https://a.example:443#"),
        ("https://a.example?y=1", "https://a.example:443/?y=1", "https://a.example:443#"),
        ("https://8.8.8.8:8443/x", "https://8.8.8.8:8443/x", "https://8.8.8.8:8443#"),
        ("https://[2606:4700::1]/", "https://[2606:4700::1]:443/", "https://[2606:4700::1]:443#"),
    ] {
        let r = receiver(url, "").unwrap();
        assert_eq!((r.url(), r.reach), (sent_to, Reach::Public), "{url}");
        assert!(r.label().starts_with(label), "{}", r.label());
        assert!(!format!("{r:?}{}", r.label()).contains("y=1"));
    }
    let label = |url| receiver(url, "").unwrap().label().to_owned();
    assert_ne!(label("https://a.example/one"), label("https://a.example/two"));
}

#[test]
fn addresses_that_are_refused() {
    for url in [
        "",
        "a.example",
        "ftp://a.example",
        "http://a.example",
        "http://127.0.0.1:9/",
        "https://127.0.0.1",
        "https://[::1]:8443/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1",
        "https://",
        "https:///x",
        "https://user:pass@a.example/",
        "https://user@a.example",
        "https://a.example:0/",
        "https://a.example:x/",
        "https://a.example:99999/",
        "https://[::1/",
        "https://[a.example]/",
        "https://a.example/#x",
        "https://a b.example",
        "https://\u{e9}.example",
        "https://a.example\\@b.example/",
    ] {
        assert!(receiver(url, "").is_err(), "{url}");
    }
    let why = receiver("http://a.example/s3cret", "").unwrap_err();
    assert!(!why.contains("s3cret"), "{why}");
}

#[test]
fn what_the_operator_lists() {
    let reach = |url, allowed| receiver(url, allowed).map(|r| r.reach).ok();
    assert_eq!(reach("http://hooks.lan/x", "hooks.lan"), Some(Reach::Near));
    assert_eq!(reach("http://hooks.lan:8080/x", " other , Hooks.LAN:8080"), Some(Reach::Near));
    assert_eq!(reach("http://hooks.lan:8081/x", "hooks.lan:8080"), None);
    assert_eq!(reach("http://x.hooks.lan/", "hooks.lan"), None);
    assert_eq!(reach("http://127.0.0.1:9/", "127.0.0.1:9"), Some(Reach::Any));
    assert_eq!(reach("http://[::1]:9/", "[::1]:9"), Some(Reach::Any));
    assert_eq!(reach("http://[::1]:9/", "::1"), Some(Reach::Any));
    assert_eq!(reach("https://10.0.0.1/", "10.0.0.1"), Some(Reach::Any));
    for bad in ["http://a.lan", "a.lan/x", "a.lan:x", "[::1", "a b"] {
        assert!(AllowList::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_name_is_judged_by_what_it_was_resolved_to() {
    let at = |text: &str| SocketAddr::new(ip(text), 443);
    let found = ["127.0.0.1", "8.8.8.8", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254"];
    let found = || found.map(at);
    let public = receiver("https://a.example/", "").unwrap();
    assert_eq!(public.permitted(found()), [at("8.8.8.8")]);
    let listed = receiver("https://a.example/", "a.example").unwrap();
    let near = [at("127.0.0.1"), at("8.8.8.8"), at("10.0.0.1"), at("::1")];
    assert_eq!(listed.permitted(found()), near);
    for never in
        ["0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::1", "ff02::1", "100.100.100.200"]
    {
        assert!(listed.permitted([at(never)]).is_empty(), "{never}");
    }
    let address = receiver("http://10.0.0.1:443/", "10.0.0.1").unwrap();
    assert_eq!(address.permitted([at("10.0.0.1")]), [at("10.0.0.1")]);
}
