//! Golden lists of faults.

use super::*;

const GOOD: &str =
    r#"{"connections":[{"connection_id":"a","front_addr":"tcp://1.2.3.4:5","broker_id":"9999"}]}"#;

fn faults_of(text: &str) -> Vec<String> {
    Config::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

/// A configuration with one good connection and these further keys.
fn with(keys: &str) -> String {
    GOOD.replacen('{', &format!("{{{keys},"), 1)
}

#[test]
fn the_least_configuration_gets_every_default() {
    let config = Config::parse(GOOD).unwrap();
    assert_eq!(config, Config::of(config.connections.clone()));
    assert_eq!((config.websocket_port, config.http_port), (7799, 7798));
    assert_eq!(
        (config.health_check_interval.as_secs(), config.maintenance_interval.as_secs()),
        (30, 60)
    );
    assert_eq!(config.load_balance_strategy, Strategy::ConnectionQuality);
    assert_eq!(config.max_retry_count, 3);
    assert!(config.auto_failover && !config.ctp_allow_unknown_version);
    assert_eq!(config.connections[0].max_subscriptions, MAX_SUBSCRIPTIONS_DEFAULT);
    assert!(config.connections[0].enabled);
}

#[test]
fn the_seeds_own_example_is_accepted() {
    let text = r#"{
      "websocket_port": 7799,
      "redis_host": "192.168.2.27",
      "redis_port": 6379,
      "load_balance_strategy": "connection_quality",
      "health_check_interval": 30,
      "maintenance_interval": 60,
      "max_retry_count": 3,
      "auto_failover": true,
      "connections": [
        {
          "connection_id": "guangfa_telecom",
          "front_addr": "tcp://101.230.102.231:51213",
          "broker_id": "9000",
          "max_subscriptions": 600,
          "priority": 1,
          "enabled": true
        }
      ]
    }"#;
    let config = Config::parse(text).unwrap();
    assert_eq!(config.redis, Some(Redis { host: "192.168.2.27".into(), port: 6379 }));
    assert_eq!(config.connections[0].max_subscriptions, 600);
    let notices = notices(&config);
    assert_eq!(notices.len(), 1, "only Redis is not served yet: {notices:?}");
    assert!(notices[0].starts_with("redis_host: "), "{notices:?}");
}

#[test]
fn every_key_is_read() {
    let text = r#"{
      "websocket_host": "0.0.0.0", "websocket_port": 0, "http_port": 0,
      "redis_host": "r", "load_balance_strategy": "hash_based",
      "health_check_interval": 5, "maintenance_interval": 7, "max_retry_count": 0, "auto_failover": false,
      "redundancy": 2, "instance": "night", "runtime_dir": "/run/night", "flow_dir": "f", "qamddata_name": "n",
      "ctp_library": "l.so", "ctp_allow_unknown_version": true, "instruments": "i.csv", "calendar": "c.txt",
      "trading_hours": "h.txt",
      "connections": [{
        "connection_id": "x", "front_addr": "tcp://h.example:1", "broker_id": "0034", "max_subscriptions": 8192,
        "priority": 7, "enabled": true, "user_id": "u", "password": "secret", "ctp_library": "own.so",
        "env": {"A": "1", "B": ""}
      }]
    }"#;
    let config = Config::parse(text).unwrap();
    let connection = &config.connections[0];
    assert_eq!(config.redis.as_ref().unwrap().port, 6379);
    assert_eq!(config.instance.as_str(), "night");
    assert_eq!(config.library_of(connection), &PathBuf::from("own.so"));
    assert_eq!(connection.env.len(), 2);
    assert_eq!(connection.password.as_ref().unwrap().reveal(), "secret");
    assert!(!format!("{config:?}").contains("secret"), "a password must not be shown");
    assert_eq!((config.redundancy, config.max_retry_count, config.auto_failover), (2, 0, false));
    assert_eq!(config.runtime_dir, Some("/run/night".into()));
    assert_eq!(config.qamddata_name.as_deref(), Some("n"));
    assert_eq!(config.calendar, Some("c.txt".into()));
    assert_eq!(config.trading_hours, Some("h.txt".into()));
}

#[test]
fn all_faults_are_reported_at_once() {
    let text = r#"{
      "websocket_port": 70000,
      "http_prot": 7798,
      "max_retry_count": "3",
      "auto_failover": "yes",
      "load_balance_strategy": "fastest",
      "instance": "Big Name",
      "runtime_dir": "run/qamd",
      "redis_port": 1,
      "colour": "red",
      "connections": [
        {"connection_id": "a", "front_addr": "182.254.243.31:30011", "broker_id": "9999"},
        {"connection_id": "b", "front_addr": "tcp://1.2.3.4:5", "broker_id": 9999, "maxsubscriptions": 5},
        {"connection_id": "c", "broker_id": "1", "max_subscriptions": 0, "enabled": 1, "password": "hidden word"},
        7,
        {"connection_id": "d/e", "front_addr": "tcp://1.2.3.4:5", "broker_id": "1", "env": {"X": 1, "A=B": "", "QAMD_PASSWORD": "p"}}
      ]
    }"#;
    let golden = [
        "colour: unknown key; known are websocket_host, websocket_port, http_port, redis_host, redis_port, load_balance_strategy, health_check_interval, maintenance_interval, max_retry_count, auto_failover, redundancy, instance, runtime_dir, flow_dir, qamddata_name, shm_group, ctp_library, ctp_allow_unknown_version, instruments, calendar, trading_hours, connections",
        "http_prot: unknown key; did you mean \"http_port\"?",
        "connections[0].front_addr: front address \"182.254.243.31:30011\" must begin with tcp:// (as tcp://182.254.243.31:30011); other schemes crash the CTP library",
        "connections[1].maxsubscriptions: unknown key; did you mean \"max_subscriptions\"?",
        "connections[1].broker_id: must be a text \"...\", not a number",
        "connections[2].front_addr: missing; give it, as \"front_addr\": \"tcp://182.254.243.31:30011\"",
        "connections[2].max_subscriptions: must be a whole number from 1 to 50000, not 0",
        "connections[2].enabled: must be true or false, not a number",
        "connections[2].password: must have 1 to 40 printable ASCII characters without blanks",
        "connections[3]: must be an object {...}, not a number",
        "connections[4].connection_id: \"d/e\" is not a connection id (one to forty letters, digits, '_', '-' or '.', not beginning with '.')",
        "connections[4].env.A=B: is not the name of an environment variable",
        "connections[4].env.QAMD_PASSWORD: is how a worker gets its password; use the key \"password\"",
        "connections[4].env.X: must be a text \"...\", not a number",
        "websocket_port: must be a whole number from 0 to 65535, not 70000",
        "redis_port: is given without redis_host; give redis_host or remove it",
        "load_balance_strategy: \"fastest\" is not a strategy; known are connection_quality, round_robin, least_connections, hash_based",
        "max_retry_count: must be a whole number from 0 to 1000, not the text \"3\" (write numbers without quotes)",
        "auto_failover: must be true or false, not a text",
        "instance: \"Big Name\" is not an instance name (one to 32 of a-z, 0-9, '_', '-', beginning with a letter)",
        "runtime_dir: runtime directory \"run/qamd\" must be an absolute path",
    ];
    assert_eq!(faults_of(text), golden);
}

#[test]
fn connections_must_make_a_fleet() {
    assert_eq!(faults_of("{}").len(), 1);
    assert_eq!(
        faults_of(r#"{"connections":[]}"#),
        ["connections: is empty; give at least one connection"]
    );
    assert_eq!(
        faults_of(r#"{"connections":{}}"#),
        ["connections: must be a list [...], not an object"]
    );
    assert_eq!(faults_of("[]"), [": must be an object {...}, not a list".trim_start_matches(": ")]);
    let twice = GOOD.replace(
        "[{",
        r#"[{"connection_id":"a","front_addr":"tcp://9.9.9.9:9","broker_id":"1"},{"#,
    );
    assert_eq!(
        faults_of(&twice),
        [
            "connections[1].connection_id: \"a\" is already the name of connections[0]; each connection needs a name of its own"
        ]
    );
    let twice_and_worse = twice.replace("\"1\"", "1").replace("\"9999\"", "9999");
    assert_eq!(faults_of(&twice_and_worse).len(), 3, "another fault does not hide it");
    let off = GOOD.replace("[{", r#"[{"enabled":false,"#);
    assert_eq!(
        faults_of(&off),
        ["connections: none is enabled; set \"enabled\": true on at least one"]
    );
}

#[test]
fn ports_must_differ_and_null_is_no_value() {
    assert_eq!(
        faults_of(&with(r#""websocket_port":7798"#)),
        ["websocket_port: websocket_port and http_port are both 7798; they must differ"]
    );
    assert!(Config::parse(&with(r#""websocket_port":0,"http_port":0"#)).is_ok());
    assert_eq!(
        faults_of(&with(r#""calendar":null"#)),
        ["calendar: must be a text \"...\", not null (remove the key to get its default)"]
    );
    assert_eq!(
        faults_of(&with(r#""flow_dir":"""#)),
        [
            "flow_dir: must not be empty or hold control characters; remove the key to get its default"
        ]
    );
    assert_eq!(
        faults_of(&with(r#""websocket_host":"a b""#)),
        [
            "websocket_host: \"a b\" is not a host name or an IP address, as \"127.0.0.1\" or \"0.0.0.0\""
        ]
    );
}

#[test]
fn a_user_needs_no_password_but_a_password_needs_a_user() {
    let of = |keys: &str| GOOD.replace("[{", &format!("[{{{keys},"));
    assert!(Config::parse(&of(r#""user_id":"u""#)).is_ok());
    assert_eq!(
        faults_of(&of(r#""password":"p""#)),
        ["connections[0].password: is given without user_id; give both or neither"]
    );
}

#[test]
fn the_files_that_come_with_the_project_are_sound() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config");
    let text = read_text(&dir.join("qamd.json")).unwrap();
    let config = Config::parse(&text).unwrap();
    assert_eq!(config.instruments, Some(INSTRUMENTS_DEFAULT.into()));
    let universe =
        crate::instruments::Universe::parse(&read_text(&dir.join("instruments.csv")).unwrap())
            .unwrap();
    assert!(universe.instruments.len() > 100 && universe.always_on().is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        proptest::prop_assert!(Config::parse(&text).is_err());
    }
}
