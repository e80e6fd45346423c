#include "codec/domain_json.hpp"

#include <boost/json/object.hpp>
#include <gtest/gtest.h>

namespace mizan {
namespace {

TEST(DomainJson, ComesBackAsItWas) {
  const Hash32 id{{1, 2, 3}};
  const Address contract{{9}};
  for (const auto& domain : {eip712::Domain::credits(id), eip712::Domain::evm(31337, contract)}) {
    const auto back = read_domain(domain_json(domain), id);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->separator(), domain.separator());
  }
  EXPECT_EQ(read_domain(nullptr, id)->separator(), eip712::Domain::credits(id).separator());
}

TEST(DomainJson, WhatIsOfNoKindIsRefused) {
  const Hash32 id{{1, 2, 3}};
  const json::object credits = domain_json(eip712::Domain::credits(id));
  EXPECT_FALSE(read_domain(credits, Hash32{{4}})) << "another exchange's";
  const json::object evm = domain_json(eip712::Domain::evm(31337, Address{{9}}));
  for (const char* key : {"name", "version", "chainId", "verifyingContract"}) {
    json::object lacks = evm;
    lacks.erase(key);
    EXPECT_FALSE(read_domain(lacks, id)) << key;
  }
  for (const auto& [key, value] :
       {std::pair<const char*, json::value>{"name", "Other"}, {"version", "2"}, {"chainId", 0}}) {
    json::object wrong = evm;
    wrong[key] = value;
    EXPECT_FALSE(read_domain(wrong, id)) << key;
  }
  json::object both = evm;
  both["salt"] = credits.at("salt");
  EXPECT_FALSE(read_domain(both, id));
  EXPECT_FALSE(read_domain(json::value("evm"), id));
}

}  // namespace
}  // namespace mizan
