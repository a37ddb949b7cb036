//! Every fault with its full text.

use super::*;

fn told(text: &str) -> String {
    read(text).map_or_else(|errors| errors.to_string(), |_| "accepted".to_owned())
}

#[test]
fn all() {
    for text in [
        "[runtime]\nspam = 1\n",
        "[runtme]\nspan = 1\n",
        "[runtime]\nspan = \"ten\"\n",
        "[runtime]\nspan = 0\n",
        "[runtime]\nlog.level = \"wran\"\n",
        "[runtime]\nlog.level = 3\n",
        "[runtime]\nlog = 3\n",
        "runtime = 3\n",
        "[telemetry]\nlook_every = \"soon\"\n",
        "[telemetry]\nlook_every = \"0s\"\n[telemetry.limits]\npause = \"2m\"\nwarn_from = 6\n",
        "[gateway]\nlisten = \"0.0.0.0:7117\"\n",
        "[gateway]\nlisten = \"localhost\"\n",
        "[gateway]\ninsecure = \"yes\"\n",
        "[runtime\nspan = 1\n",
        "[runtime]\nspan = \nspan = 3\nspan = 4",
        "[runtime]\nstate_dir = \"\"\n",
        "[runtime]\nspan = 99999999999999999999999\n",
        "[team]\nname = \"a\"\n",
        "[[team]]\nnam = \"a\"\n",
        "[[team]]\nname = \"A b\"\n",
        "[[team]]\nname = \"a\"\n[[team]]\nname = \"a\"\n",
        "[[team]]\nname = \"gateway\"\n",
        "[[team]]\nname = \"a\"\nstrategy = \"one_for_on\"\nintensity = { restarts = 5 }\nbackoff = { first = \"1m\", factor = 0.5, jitter = 1.5, max = \"1s\" }\n",
        "[[team]]\nname = \"a\"\nintensity = { restarts = 5, within = \"0s\" }\n",
    ] {
        println!("-----{text:?}\n{}\n", told(text));
    }
    let team = |agent: &str| format!("[[team]]\nname = \"a\"\n\n[[team.agent]]\n{agent}\n");
    for text in [
        "name = \"b\"",
        "kind = \"echo\"",
        "name = \"b\"\nkind = \"ehco\"\nreplcas = 1",
        "name = \"b\"\nkind = \"thing\"",
        "name = \"b\"\nkind = \"load\"\nprefix = 1",
        "name = \"b\"\nkind = \"load\"\nreplcas = 1\nmailbox = { capacity = 0, overflw = \"wait\" }\nshutdown = \"0s\"\nstart_within = 5",
        "name = \"b\"\nkind = \"echo\"\nprefix = 7\ntimes = 10\ncommand = []\nvoice = { kind = \"lod\" }",
        "name = \"b\"\nkind = \"echo\"\nprefix = \"hush\"\ncommand = [\"x\"]",
        "name = \"b\"\nkind = \"echo\"\ncommand = [\"x\", 1]\nvoice = { kind = \"loud\" }\nsecrets = { A = { fle = \"x\" }, B = \"abc\", C = { file = 1 } }",
        "name = \"b\"\nkind = \"echo\"",
        "name = \"b\"\nkind = \"load\"\nreplicas = 3\n[[team.agent]]\nname = \"b-2\"\nkind = \"load\"",
        "name = \"b\"\nkind = \"load\"\nreplicas = 5000000000",
        "name = \"b\"\nkind = \"load\"\nbackoff = { factor = nan }\nhandle_within = 2020-01-01",
        "name = \"b\"\nkind = 7",
        "name = 7\nkind = \"load\"\nprefix = 1",
    ] {
        println!("-----{text:?}\n{}\n", told(&team(text)));
    }
}
