#!/usr/bin/env python3
"""The rules a second time, in SQL, against the C++ on random cases.

Written from the collected rules, not from lib/policy: SQLite's NULL is Kleene's unknown. Groups of
countries and chips come from the data files; the rules stand below as SQL. Every case is judged
twice, with weak evidence at its value (table v) and as unknown (table m); the worse counts.

usage: oracle.py POLICY_ANSWERS RULES_DIR [NUMBER]      MIZAN_SEED chooses the cases.
"""
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from decimal import Decimal

SCALE = 10000  # four decimals, exactly
STRENGTHS = ["self_declared", "credential", "measured"]
ROLES = ["exporter", "provider", "operator", "hardware_owner", "host", "investor", "broker", "buyer",
         "end_user"]
EMBARGOED = "IR KP CU SY".split()
PLACES = ("CN CN CN HK MO RU KH KH NI NI BY VE MM AE SA VN PK US GB SG AU DE FR JP IN TR IL TW CY BR KE "
          "AF CD CF ER HT IQ LB LY SO SS SD ZW AM AZ BH EG GE JO KG KW KZ LA MD MN OM QA TJ TM UZ "
          "YE").split()
DATES = ("2019-06-01 2021-03-14 2021-03-15 2021-12-08 2022-10-06 2022-10-07 2023-01-16 2023-01-17 "
         "2023-11-16 2023-11-17 2023-12-01 2024-03-14 2024-03-15 2024-04-03 2024-04-04 2024-06-01 "
         "2024-12-01 2024-12-02 2024-12-30 2024-12-31 2025-01-12 2025-01-13 2025-04-08 2025-04-09 "
         "2025-05-12 2025-05-13 2025-06-29 2025-06-30 2025-09-28 2025-09-29 2025-11-09 2025-11-10 "
         "2026-01-14 2026-01-15 2026-02-02 2026-02-03 2026-11-09 2026-11-10 2026-11-22").split()
CERTIFICATIONS = ["dd.volume", "dd.lab", "dd.remote_users", "dd.weights", "hbm.packaging_site"]
WIDTHS = {"dense16": 16, "dense8": 8, "dense6": 6, "dense4": 4}


def exact(number):
    return None if number is None else int(Decimal(repr(number)) * SCALE)


# ---------------------------------------------------------------- random cases

class Fact:
    """A value, None (unknown) or "n/a", and whether its evidence is weaker than a credential."""

    def __init__(self, rng, value, may_miss=0.05, may_not_apply=0.04):
        self.value, self.strength = value, None
        dice = rng.random()
        if dice < may_miss:
            self.value = None
        elif dice < may_miss + may_not_apply:
            self.value = "n/a"
        if self.value is not None and rng.random() < 0.12:
            self.strength = rng.choice(STRENGTHS)
        self.weak = self.strength == "self_declared"

    def write(self, into, key):
        if self.value is not None:
            into[key] = {"value": self.value, "evidence": self.strength} if self.strength else self.value

    def seen(self, strict):
        return None if strict and self.weak else self.value


def near(rng, threshold):
    return round(threshold + rng.choice([-0.0001, 0, 0.0001, -1, 1, -rng.random() * threshold / 2,
                                         rng.random() * threshold]), 4)


def random_figures(rng):
    die = rng.choice([100, 300, 500.5, 814, 1000, 2000, 9999.99])
    tpp = near(rng, rng.choice([1600, 2400, 4800, 21000, 1.6 * die, 3.2 * die, 5.92 * die]))
    width = rng.choice(list(WIDTHS))
    columns = {"chip": rng.choice(["some part", "H20", "Ascend 910D", "Ascend 910B"]),
               width: max(round(tpp / WIDTHS[width], 4), 0.0001), "applicable_die_mm2": die,
               "dram_bw_GBps": rng.choice([1000, 3999.9, 4000, 6499.9999, 6500]),
               "interconnect_GBps_bidir": rng.choice([64, 599.9, 600, 899.9, 900]),
               "dc_designed_or_marketed": rng.choice(["yes", "yes", "no"])}
    if rng.random() < 0.3:
        columns[rng.choice(list(WIDTHS))] = round(rng.random() * 1000, 4)
    return {k: v for k, v in columns.items() if rng.random() > 0.06}


def random_item(rng, chips):
    dice = rng.random()
    if dice < 0.55:
        return rng.choice(chips)
    if dice < 0.80:
        return random_figures(rng)
    if dice < 0.92:
        area = rng.choice([100, 110, 96.5])
        memory = {"bandwidth_GBps": near(rng, rng.choice([2, 3.3]) * area), "package_mm2": area,
                  "co_packaged": rng.random() < 0.3}
        return {"hbm": {k: v for k, v in memory.items() if rng.random() > 0.06}}
    return "n/a"


def random_place(rng):
    return rng.choice(EMBARGOED if rng.random() < 0.06 else PLACES)


def random_party(rng, role, calm):
    party = {"role": role}
    seat = random_place(rng)
    facts = {}
    for key in ("country", "hq", "parent_hq"):
        place = seat if rng.random() < 0.7 else random_place(rng)
        facts[key] = Fact(rng, "SG" if rng.random() < calm else place, 0.03 * (1 - calm))
    effects = rng.choice([[]] * 7 + [["licence"], ["block"], ["licence", "block"]])
    if rng.random() < calm:
        effects = []
    facts["lists"] = Fact(rng, [{"id": e.upper(), "effect": e} for e in effects], 0.02 * (1 - calm))
    owners = []
    for _ in range(0 if rng.random() < calm else rng.choice([0, 0, 0, 1, 2, 3])):
        owner = {"list": "X", "effect": rng.choice(["licence", "block"]),
                 "share": rng.choice([0, 0.1, 0.2, 0.25, 0.3, 0.4999, 0.5, 0.5001, 1])}
        if rng.random() < 0.06:
            del owner["share"]
        owners.append(owner)
    facts["listed_owners"] = Fact(rng, owners, 0.02 * (1 - calm))
    for key, fact in facts.items():
        fact.write(party, key)
    return party, facts


def random_case(rng, number, chips):
    calm = rng.choice([0.2, 0.6, 0.9, 0.99])
    case = {"id": str(number), "date": rng.choice(DATES)}
    facts = {
        "operation": Fact(rng, rng.choice(["lease", "lease", "lease", "export", "export", "reexport",
                                           "transfer"]), 0.02, 0),
        "chip": Fact(rng, random_item(rng, chips), 0.02, 0),
        "location": Fact(rng, random_place(rng) if rng.random() < 0.6 else "US"),
        "destination": Fact(rng, random_place(rng) if rng.random() < 0.6 else "CN"),
        "certifications": Fact(rng, [c for c in CERTIFICATIONS if rng.random() < 0.85]),
        "notices": Fact(rng, rng.choice([[], [], ["h20"], ["mi308"], ["h20", "mi308"]])),
        "licence_conditions": Fact(rng, ["no_hq:" + c for c in rng.choice(
            [[], [], [], ["CN"], ["SG"], ["HK"], ["CN", "RU"]])]),
        "end_use": Fact(rng, rng.choice(["commercial"] * 12 + ["military_intelligence", "wmd",
                                                              "technical_analysis"])),
        "training": Fact(rng, rng.random() < 0.5),
        "datacenter_marketed": Fact(rng, rng.random() < 0.5, 0.8, 0),
    }
    for key, fact in facts.items():
        fact.write(case, key)
    parties = None
    if rng.random() > 0.01:
        roles = ["buyer"] + rng.sample(ROLES, rng.choice([0, 1, 1, 2, 3]))
        parties = [random_party(rng, role, calm) for role in roles]
        case["parties"] = [party for party, _ in parties]
    return case, facts, parties


# ---------------------------------------------------------------- into the tables

def item_columns(item, marketed, chips):
    """What SQL reads of an item: numbers exact, NULL unknown; has_* is 0 where it does not apply."""
    row = dict.fromkeys(["name", "tpp", "die", "dram", "io", "dc", "bandwidth", "area", "packed"])
    row.update(chip=1, hbm=1)
    if item == "n/a" or (isinstance(item, dict) and "hbm" in item):
        row.update(chip=0, name="n/a", dc=0)
    if item == "n/a" or isinstance(item, str) or (isinstance(item, dict) and "hbm" not in item):
        row.update(hbm=0, packed=0)
    if isinstance(item, dict) and "hbm" in item:
        row.update(bandwidth=exact(item["hbm"].get("bandwidth_GBps")),
                   area=exact(item["hbm"].get("package_mm2")),
                   packed=item["hbm"].get("co_packaged"))
    elif item is not None and item != "n/a":
        columns = chips[item] if isinstance(item, str) else item
        rates = [exact(columns[w]) * bits for w, bits in WIDTHS.items() if w in columns]
        dc = columns.get("dc_designed_or_marketed")
        row.update(name=columns.get("chip"), tpp=max(rates) if rates else None,
                   die=exact(columns.get("applicable_die_mm2")),
                   dram=exact(columns.get("dram_bw_GBps")),
                   io=exact(columns.get("interconnect_GBps_bidir")),
                   dc=None if dc is None else dc == "yes")
    if marketed is not None and item is not None and row["chip"] and item != "n/a":
        row["dc"] = marketed
    return row


def case_row(number, case, facts, parties, pending, strict, chips):
    def seen(key, raw=False):
        return facts[key].seen(strict and not raw)

    def holds(key, word):
        value = seen(key)
        return None if value is None else value != "n/a" and word in value

    item, item_raw = seen("chip"), seen("chip", True)
    marketed = facts["datacenter_marketed"]
    dc = None
    row = item_columns(item, None, chips)
    chip_row = isinstance(item_raw, str) and item_raw != "n/a" or isinstance(item_raw, dict) and "hbm" not in item_raw
    if chip_row and marketed.value is not None:
        dc = marketed.seen(strict)
        row["dc"] = dc
    operation, operation_raw = seen("operation"), seen("operation", True)

    def place(key, raw=False):
        value = seen(key, raw)
        # A lease moves nothing: there, a destination that is not given does not apply.
        if key == "destination" and facts[key].value is None and operation_raw == "lease":
            return None if strict and not raw and facts["operation"].weak else "n/a"
        return value

    training = seen("training")
    row.update(
        id=number, date=int(case["date"].replace("-", "")), pending=int(pending),
        op=operation, op_s=operation_raw,
        name_s=item_columns(item_raw, None, chips)["name"],
        loc=seen("location"), loc_s=seen("location", True), dest=place("destination"),
        dest_s=place("destination", True), use=seen("end_use"), use_s=seen("end_use", True),
        training=0 if training == "n/a" else training,
        dd=None if seen("certifications") is None else int(
            seen("certifications") != "n/a" and all(c in seen("certifications") for c in CERTIFICATIONS[:4])),
        site=holds("certifications", "hbm.packaging_site"),
        notice=None if seen("notices") is None else int(seen("notices") not in ("n/a", [])),
        listed=int(parties is not None))
    return row


def party_row(number, index, facts, conditions, strict):
    def seen(key, raw=False):
        return facts[key].seen(strict and not raw)

    lists, owners = seen("lists"), seen("listed_owners")
    row = {"id": number, "party": index}
    for key in ("country", "hq", "parent_hq"):
        row[key], row[key + "_s"] = seen(key), seen(key, True)
    for effect in ("licence", "block"):
        row["listed_" + effect] = None if lists is None else int(
            lists != "n/a" and any(m["effect"] == effect for m in lists))
        mine = [] if owners in (None, "n/a") else [o for o in owners if o["effect"] == effect]
        row["owned_" + effect] = None if owners is None else sum(exact(o.get("share", 0)) for o in mine)
        row["open_" + effect] = int(any("share" not in o for o in mine))
    row["conditions"] = conditions.value is not None
    return row


def insert(db, table, rows):
    keys = list(rows[0])
    db.execute(f"CREATE TABLE {table} ({', '.join(keys)})")
    db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(keys))})",
                   [[row[k] for k in keys] for row in rows])


def load_groups(db, folder):
    places = json.load(open(os.path.join(folder, "places.json")))
    groups = {g["group"]: g["members"] for g in places["groups"]}

    def members(name):
        for member in groups[name]:
            if isinstance(member, dict):
                yield (member["country"], int((member["from"] or "0").replace("-", "")),
                       int((member["until"] or "99991231").replace("-", "")))
            elif member.startswith("@"):
                yield from members(member[1:])
            else:
                yield member, 0, 99991231

    rows = []
    for name in groups:
        for code, first, last in members(name):
            rows.append((name, code, first, last))
            if code == "CN":  # Hong Kong is part of it
                rows.append((name, "HK", first, last))
    db.execute("CREATE TABLE grp (grp_name, grp_country, first_day, last_day)")
    db.executemany("INSERT INTO grp VALUES (?, ?, ?, ?)", rows)
    db.execute("CREATE INDEX grp_place ON grp (grp_name, grp_country)")


# ---------------------------------------------------------------- the rules

def within(column, group):
    """Kleene's `column is in group on that date`."""
    return (f"(CASE WHEN {column} IS NULL THEN NULL ELSE EXISTS (SELECT 1 FROM grp WHERE "
            f"grp_name = '{group}' AND grp_country = {column} AND date BETWEEN first_day AND last_day) END)")


D5MO, D14, INFORMED = "D:5 and MO", "D:1, D:4 or D:5, not A:5 or A:6", "is-informed"
EMBARGO, MILITARY = "embargoed", "military-intelligence"


def some(roles, *tests):
    """Whether some party of these roles passes some test: the greatest of no, unknown, yes."""
    chosen = "1" if roles == "any" else f"role IN ({', '.join(repr(r) for r in roles)})"
    test = " OR ".join(tests)
    return f"max(CASE WHEN {chosen} THEN ifnull(({test}), 0.5) ELSE 0 END)"


BUYERS = ("buyer", "end_user")
DEMAND = ("buyer", "end_user", "broker")


def condition(column):
    return (f"(CASE WHEN NOT conditions THEN (CASE WHEN {column} = 'n/a' THEN 0 ELSE NULL END) WHEN "
            f"NOT EXISTS (SELECT 1 FROM cond WHERE cond.id = t.id) THEN 0 WHEN {column} IS NULL THEN "
            f"NULL ELSE EXISTS (SELECT 1 FROM cond WHERE cond.id = t.id AND (code = {column} OR "
            f"(code = 'CN' AND {column} = 'HK'))) END)")


PARTY_FACTS = {
    "hq_d5": some(BUYERS, within("hq", D5MO), within("parent_hq", D5MO)),
    "hq_informed": some(BUYERS, within("hq", INFORMED), within("parent_hq", INFORMED)),
    "embargoed": some(BUYERS, within("country", EMBARGO), within("hq", EMBARGO)),
    "embargoed_parent": some(BUYERS, within("parent_hq", EMBARGO)),
    "syrian": some(BUYERS, "country = 'SY'", "hq = 'SY'"),
    "syrian_parent": some(BUYERS, "parent_hq = 'SY'"),
    "for_d5": some(DEMAND, within("country", D5MO), within("hq", D5MO), within("parent_hq", D5MO)),
    "military": some("any", within("country", MILITARY), within("hq", MILITARY),
                     within("parent_hq", MILITARY)),
    "on_licence_list": some("any", "listed_licence"),
    "on_block_list": some("any", "listed_block"),
    "half_licence": some("any", f"owned_licence >= {SCALE // 2} OR (CASE WHEN open_licence THEN NULL ELSE 0 END)"),
    "some_licence": some("any", "owned_licence > 0 OR (CASE WHEN open_licence THEN NULL ELSE 0 END)"),
    "half_block": some("any", f"owned_block >= {SCALE // 2} OR (CASE WHEN open_block THEN NULL ELSE 0 END)"),
    "barred": some(BUYERS, condition("country_s"), condition("hq_s"), condition("parent_hq_s")),
    "us_provider": some(("provider", "operator"), "country = 'US'", "hq = 'US'"),
    "abroad": some(DEMAND, "country NOT IN ('US', 'n/a')"),
}

MOVES = "(op IN ('export', 'reexport', 'transfer'))"
LEASE = "(op = 'lease')"
GP10 = "(name_s IN ('Ascend 910B', 'Ascend 910C', 'Ascend 910D'))"
A_DC = "(is_a AND dc)"
EXCEPTED = "(is_b OR (is_a AND NOT dc))"
FIFTY = "(date BETWEEN 20250929 AND 20251109 OR date >= 20261110)"

# name, head, outcome, when
RULES = [
    ("old 3A090", "hardware_export", "LICENCE",
     f"{MOVES} AND old AND {within('dest', 'CN and MO 2022')}"),
    ("3A090.a", "hardware_export", "LICENCE",
     f"date >= 20231117 AND {MOVES} AND {A_DC} AND ({within('dest', D5MO)} OR {within('dest', D14)} OR hq_d5)"),
    ("NAC", "hardware_export", "NOTIFY",
     f"date >= 20231117 AND {MOVES} AND {EXCEPTED} AND {within('dest', D5MO)}"),
    ("3A090.c", "hardware_export", "LICENCE",
     f"date >= 20241231 AND {MOVES} AND is_c AND {within('dest', D5MO)} AND NOT (under_33 AND site)"),
    ("letters", "hardware_export", "LICENCE",
     f"date >= 20250409 AND {MOVES} AND notice AND (name IN ('H20', 'MI308', 'MI308X') OR fast) AND "
     f"({within('dest', INFORMED)} OR hq_informed)"),
    ("GP10", "hardware_export", "LICENCE",
     f"date >= 20250513 AND {GP10} AND NOT (use = 'technical_analysis')"),
    ("GP10 analysis", "hardware_export", "NOTIFY",
     f"date >= 20250513 AND {GP10} AND use = 'technical_analysis'"),
    ("Syria", "hardware_export", "LICENCE", f"date >= 20250630 AND {MOVES} AND (dest = 'SY' OR syrian)"),
    ("embargo", "sanctions", "PROHIBITED", "embargoed"),
    ("embargo place", "sanctions", "PROHIBITED",
     f"{within('dest_s', EMBARGO)} OR (op_s = 'lease' AND {within('loc_s', EMBARGO)})"),
    ("block", "sanctions", "PROHIBITED", "on_block_list"),
    ("block 50 %", "sanctions", "PROHIBITED", "half_block"),
    ("wmd", "end_use", "LICENCE", "use_s = 'wmd'"),
    ("military", "end_use", "LICENCE", "date >= 20210315 AND use_s = 'military_intelligence' AND military"),
    ("military others", "end_use", "RED_FLAG", "use_s = 'military_intelligence'"),
    ("training", "end_use", "RED_FLAG", "date >= 20250513 AND training AND for_d5 AND controlled"),
    ("embargoed parent", "end_use", "RED_FLAG", "embargoed_parent"),
    ("Syrian parent", "end_use", "RED_FLAG", f"date >= 20250630 AND {MOVES} AND syrian_parent"),
    ("entity list", "end_use", "LICENCE", f"{MOVES} AND on_licence_list"),
    ("entity list lease", "end_use", "RED_FLAG", f"{LEASE} AND on_licence_list"),
    ("50 %", "end_use", "LICENCE", f"{FIFTY} AND {MOVES} AND half_licence"),
    ("50 % lease", "end_use", "RED_FLAG", f"{FIFTY} AND {LEASE} AND half_licence"),
    ("red flag 29", "end_use", "RED_FLAG", f"NOT {FIFTY} AND some_licence"),
    ("no_hq", "licence_conditions", "PROHIBITED", "barred"),
    ("H.R. 2683", "pending", "LICENCE", f"pending AND {LEASE} AND controlled AND for_d5"),
    ("AI diffusion", "pending", "LICENCE", f"pending AND date >= 20250113 AND {MOVES} AND is_a"),
    ("HBM early", "pending", "LICENCE",
     f"pending AND date BETWEEN 20241202 AND 20241230 AND {MOVES} AND is_c AND {within('dest', D5MO)} "
     "AND NOT (under_33 AND site)"),
    ("KYC24", "pending", "NOTIFY", f"pending AND {LEASE} AND us_provider AND abroad"),
    ("KYC24 report", "pending", "NOTIFY", f"pending AND {LEASE} AND training AND us_provider AND abroad"),
]
DENIALS = {"old 3A090", "3A090.c", "GP10", "Syria", "wmd", "military", "entity list", "50 %", "HBM early"}
RANK = {"ALLOW": 0, "NOTIFY": 1, "INSUFFICIENT": 2, "RED_FLAG": 3, "LICENCE": 4, "PROHIBITED": 5}
WORDS = list(RANK)
HEADS = ["hardware_export", "end_use", "sanctions", "licence_conditions", "cloud_kyc", "pending"]

CASE_BY_CASE = (f"date >= 20260115 AND op = 'export' AND loc = 'US' AND dest IN ('CN', 'HK', 'MO') AND "
                f"chip AND tpp < {21000 * SCALE} AND dram < {6500 * SCALE} AND dd")
# 3 denial, 2 case by case, 1 approval likely: the worst that is possible
A_REVIEW = f"""CASE
  WHEN (NOT ({CASE_BY_CASE}) AND ({within('dest', D5MO)} OR ({within('dest', D14)} AND hq_d5)
        OR (NOT {within('dest', D14)} AND date >= 20260115))) IS NOT 0 THEN 3
  WHEN (({CASE_BY_CASE}) OR (NOT {within('dest', D5MO)} AND NOT {within('dest', D14)})) IS NOT 0 THEN 2
  ELSE 1 END"""


def reckon(db, table):
    """Table `table`_answer: class, and for each rule 0 no, 1 unknown, 2 yes."""
    db.execute(f"CREATE INDEX {table}p_id ON {table}p (id)")
    facts = ", ".join(f"{sql} AS g_{name}" for name, sql in PARTY_FACTS.items())
    db.execute(f"CREATE TABLE {table}g AS SELECT t.id AS gid, {facts} FROM {table}p AS t "
               f"JOIN {table}d USING (id) GROUP BY t.id")
    db.execute(f"CREATE INDEX {table}g_id ON {table}g (gid)")
    opened = ", ".join(f"CASE WHEN NOT listed THEN NULL WHEN gid IS NULL THEN 0 WHEN g_{n} = 0.5 "
                       f"THEN NULL ELSE g_{n} = 1 END AS {n}" for n in PARTY_FACTS)
    db.execute(f"""CREATE TABLE {table}f AS WITH one AS (SELECT *,
        (date BETWEEN 20221007 AND 20231116 AND chip AND tpp >= {4800 * SCALE} AND io >= {600 * SCALE}) AS old,
        (date >= 20231117 AND chip AND tpp >= {4800 * SCALE}) AS a1,
        (date >= 20231117 AND chip AND tpp >= {1600 * SCALE} AND tpp * 100 >= 592 * die AND dc) AS a2,
        (date >= 20231117 AND chip AND tpp >= {2400 * SCALE} AND tpp < {4800 * SCALE} AND
           tpp * 10 >= 16 * die AND tpp * 100 < 592 * die AND dc) AS b1,
        (date >= 20231117 AND chip AND tpp >= {1600 * SCALE} AND tpp < {4800 * SCALE} AND
           tpp * 10 >= 32 * die AND tpp * 100 < 592 * die AND dc) AS b2,
        (date >= 20241202 AND hbm AND bandwidth > 2 * area AND NOT packed) AS is_c,
        (hbm AND bandwidth * 10 < 33 * area) AS under_33,
        (chip AND (dram >= {4000 * SCALE} OR io >= {900 * SCALE})) AS fast, {opened}
        FROM {table} LEFT JOIN {table}g ON gid = id)
      SELECT *, (a1 OR a2) AS is_a, (b1 OR b2) AS is_b,
        (old OR a1 OR a2 OR b1 OR b2 OR is_c) AS controlled,
        CASE WHEN old THEN '3A090' WHEN old IS NULL THEN 'unknown'
             WHEN a1 THEN '3A090.a.1' WHEN a1 IS NULL THEN 'unknown'
             WHEN a2 THEN '3A090.a.2' WHEN a2 IS NULL THEN 'unknown'
             WHEN b1 THEN '3A090.b.1' WHEN b1 IS NULL THEN 'unknown'
             WHEN b2 THEN '3A090.b.2' WHEN b2 IS NULL THEN 'unknown'
             WHEN is_c THEN '3A090.c' WHEN is_c IS NULL THEN 'unknown' ELSE 'none' END AS class
      FROM one""")
    columns = ", ".join(f"CASE WHEN ({when}) IS NULL THEN 1 WHEN ({when}) THEN 2 ELSE 0 END"
                        for _, _, _, when in RULES)
    return db.execute(f"SELECT class, {A_REVIEW}, {columns} FROM {table}f ORDER BY id").fetchall()


def judge(values, strict):
    """The answer of one case from its two rows: [verdict, class, review, outcome of each head]."""
    heads, review = dict.fromkeys(HEADS, 0), 0
    for place, (name, head, outcome, _) in enumerate(RULES):
        worst = max({0: 0, 1: RANK["INSUFFICIENT"], 2: RANK[outcome]}[row[2 + place]]
                    for row in (values, strict))
        heads[head] = max(heads[head], worst)
        if worst == RANK["LICENCE"]:
            review = max(review, 3 if name in DENIALS else 0,
                         max(values[1], strict[1]) if name == "3A090.a" else 0)
    verdict = max(heads.values())
    if verdict != RANK["LICENCE"]:
        review = 0
    return [WORDS[verdict], values[0], ["null", "approval_likely", "case_by_case", "denial"][review],
            *(WORDS[heads[h]] for h in HEADS)]


def oracle(batch, folder, chips):
    db = sqlite3.connect(":memory:")
    load_groups(db, folder)
    conditions = []
    for number, (case, facts, parties, pending) in enumerate(batch):
        for text in facts["licence_conditions"].value or []:
            if facts["licence_conditions"].value != "n/a":
                conditions.append({"id": number, "code": text.split(":")[1]})
    insert(db, "cond", conditions or [{"id": -1, "code": ""}])
    db.execute("CREATE INDEX cond_id ON cond (id)")
    answers = []
    for table, strict in (("v", False), ("m", True)):
        rows, parties_rows, dates = [], [], []
        for number, (case, facts, parties, pending) in enumerate(batch):
            rows.append(case_row(number, case, facts, parties, pending, strict, chips))
            dates.append({"id": number, "date": rows[-1]["date"]})
            for index, (party, party_facts) in enumerate(parties or []):
                row = party_row(number, index, party_facts, facts["licence_conditions"], strict)
                row["role"] = party["role"]
                parties_rows.append(row)
        insert(db, table, rows)
        insert(db, table + "p", parties_rows)
        insert(db, table + "d", dates)
        db.execute(f"CREATE INDEX {table}d_id ON {table}d (id)")
        answers.append(reckon(db, table))
    return [judge(values, strict) for values, strict in zip(*answers)]


def main():
    program, folder = sys.argv[1], sys.argv[2]
    number = int(sys.argv[3]) if len(sys.argv) > 3 else 100000
    seed = int(os.environ.get("MIZAN_SEED", random.randrange(2**32)))
    print(f"MIZAN_SEED={seed}", flush=True)
    rng = random.Random(seed)
    chips = {c["chip"]: c for c in json.load(open(os.path.join(folder, "chips.json")))["chips"]}
    names = list(chips)
    done, counts = 0, {}
    while done < number:
        size = min(20000, number - done)
        batch = []
        for i in range(size):
            batch.append((*random_case(rng, done + i, names), rng.random() < 0.3))
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            for case, _, _, pending in batch:
                file.write(("P" if pending else "-") + json.dumps(case) + "\n")
            file.flush()
            result = subprocess.run([program, folder, file.name, "--lines"], stdout=subprocess.PIPE,
                                    text=True, check=True)
        told = [line.split() for line in result.stdout.splitlines()]
        wanted = oracle(batch, folder, chips)
        if len(told) != size:
            sys.exit(f"{len(told)} answers to {size} cases")
        for (case, _, _, pending), mine, theirs in zip(batch, wanted, told):
            counts[mine[0]] = counts.get(mine[0], 0) + 1
            if mine != theirs:
                print(json.dumps(case), "pending" if pending else "")
                print("fields  verdict class review", *HEADS)
                print("oracle ", *mine)
                print("program", *theirs)
                sys.exit(1)
        done += size
    print(f"{done} cases agree:", ", ".join(f"{counts.get(w, 0)} {w}" for w in WORDS))
    scarce = [w for w in WORDS if counts.get(w, 0) < number // 1000]
    if scarce:
        sys.exit(f"too few cases end in {scarce}")


if __name__ == "__main__":
    main()
