#!/usr/bin/env python3
"""Writes ordinary_deals.csv: a thousand deals as a market of many countries sees them.

Customers mostly from countries without a programme against them, a few of country group D:5, a few
whose credential leaves something out; what they rent and what for in proportion to what is rented.
The seed is fixed: the file is data, kept and reviewed, and made again only on purpose.
"""
import csv
import random
import sys

random.seed(20261122)
COUNTRIES = [("US", 30), ("DE", 9), ("GB", 9), ("JP", 7), ("IN", 7), ("SG", 6), ("FR", 5), ("CA", 5),
             ("KR", 4), ("AU", 3), ("BR", 3), ("NL", 3), ("SE", 2), ("CH", 2), ("AE", 2), ("SA", 1),
             ("TW", 2), ("IL", 2), ("PL", 2), ("MX", 1), ("KE", 1), ("VN", 1), ("TR", 1), ("EG", 1)]
PLACES = [("US", 35), ("DE", 8), ("SG", 8), ("JP", 8), ("FI", 6), ("SE", 6), ("CA", 6), ("AU", 5),
          ("MY", 5), ("IS", 4), ("NO", 4), ("AE", 3), ("IN", 2)]
CHIPS = [("H100 SXM", 80, 24), ("A100 80GB SXM", 80, 18), ("RTX 4090", 24, 16), ("H200 SXM", 141, 8),
         ("L4", 24, 8), ("L40S", 48, 7), ("cpu", 0, 6), ("RTX 5090", 32, 4), ("MI300X", 192, 4),
         ("H100 PCIe", 80, 3), ("B200", 192, 1), ("RTX PRO 6000 Blackwell Server", 96, 1)]


def pick(weighted):
    return random.choices([w[:-1] for w in weighted], [w[-1] for w in weighted])[0]


rows = []
for number in range(1, 1001):
    seat = pick(COUNTRIES)[0]
    parent = random.choice(["n/a", "n/a", seat, seat, seat, pick(COUNTRIES)[0]])
    if number % 250 == 0:  # a subsidiary of a company of D:5
        parent = random.choice(["CN", "CN", "LB"])
    if number % 333 == 0:  # a credential that says nothing of the parent
        parent = ""
    chip, memory = pick(CHIPS)
    units = random.choice([1, 1, 1, 1, 2, 2, 4, 8, 8])
    training = random.random() < 0.55
    provider = pick(PLACES)[0]
    location = provider if random.random() < 0.8 else pick(PLACES)[0]
    rows.append([number, seat, seat if random.random() < 0.9 else pick(COUNTRIES)[0], parent, provider,
                 location, chip, memory, units, random.choice([600, 3600, 14400, 86400]),
                 "yes" if training else "no"])
with open(sys.argv[1], "w", newline="") as out:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["deal", "buyer", "buyer_hq", "buyer_parent", "provider", "location", "chip",
                     "device_gb", "units", "seconds", "training"])
    writer.writerows(rows)
