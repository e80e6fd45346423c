#include "policy/case_json.hpp"

#include "policy/chip_columns.hpp"
#include "policy/words.hpp"

#include <algorithm>

namespace mizan::policy {
namespace {

constexpr size_t kMostParties = 64;
constexpr size_t kMostEntries = 256;  // of any list

class CaseReader {
 public:
  explicit CaseReader(const RuleSet& rules) : rules_(rules) {}

  Result<Case> read(const json::value& value, const std::string& path);

 private:
  using Path = std::string_view;

  Result<Country> country_of(const json::value& value, Path path) const {
    MIZAN_TRY(text, from_json<std::string>(value, path));
    const auto code = country(text);
    if (!code || !rules_.country_exists(*code))
      return bad_field(path, "there is no country \"" + text + "\"; use its two capital letters");
    return *code;
  }
  template <class T>
  static Result<Fact<T>> word(const json::value* value, const std::string& path,
                              std::string_view what, std::span<const std::string_view> words) {
    return read_fact<T>(value, path, [&](const json::value& raw, Path place) -> Result<T> {
      MIZAN_TRY(index, read_word(raw, place, what, words));
      return static_cast<T>(index);
    });
  }
  Result<Fact<Country>> place(ObjectReader& in, std::string_view key) const {
    return read_fact<Country>(
        in.find(key), in.path(key),
        [this](const json::value& raw, Path path) { return country_of(raw, path); });
  }
  static Result<Fact<bool>> flag(ObjectReader& in, std::string_view key) {
    return read_fact<bool>(in.find(key), in.path(key), [](const json::value& raw, Path path) {
      return from_json<bool>(raw, path);
    });
  }
  static Result<Fact<uint64_t>> count(ObjectReader& in, std::string_view key, uint64_t most) {
    return read_fact<uint64_t>(
        in.find(key), in.path(key), [most](const json::value& raw, Path path) -> Result<uint64_t> {
          auto number = from_json<uint64_t>(raw, path);
          if (!number || *number < 1 || *number > most)
            return bad_field(path, "expected a whole number from 1 to " + std::to_string(most));
          return *number;
        });
  }
  // A list whose absence means that it is unknown.
  template <class T, class Read>
  static Result<Fact<std::vector<T>>> list(const json::value* value, const std::string& path,
                                           Read&& read) {
    return read_fact<std::vector<T>>(
        value, path, [&](const json::value& raw, Path place) -> Result<std::vector<T>> {
          MIZAN_TRY(array, from_json<std::vector<json::value>>(raw, place));
          if (array.size() > kMostEntries)
            return bad_field(place, "has more than " + std::to_string(kMostEntries) + " entries");
          std::vector<T> entries;
          for (size_t i = 0; i < array.size(); ++i) {
            MIZAN_TRY(entry, read(array[i], std::string(place) + "[" + std::to_string(i) + "]"));
            entries.push_back(std::move(entry));
          }
          return entries;
        });
  }
  // A list of words, each of them known to the rule set.
  static Result<Fact<std::vector<std::string>>> words(ObjectReader& in, std::string_view key,
                                                      std::string_view what,
                                                      const std::vector<std::string>& known) {
    return list<std::string>(
        in.find(key), in.path(key),
        [&](const json::value& raw, const std::string& path) -> Result<std::string> {
          MIZAN_TRY(text, read_text(raw, path));
          if (std::find(known.begin(), known.end(), text) == known.end())
            return unknown(path, what, text, known);
          return text;
        });
  }
  static Result<Fact<EndUse>> end_use(const json::value* value, const std::string& path);
  static tl::unexpected<Error> unknown(Path path, std::string_view what, const std::string& word,
                                       const std::vector<std::string>& known);

  Result<Item> item(const json::value& value, const std::string& path) const;
  Result<Hbm> hbm(const json::value& value, const std::string& path) const;
  Result<LicenceCondition> condition(const json::value& value, const std::string& path) const;
  Result<Licence> licence(const json::value& value, const std::string& path) const;
  Result<Party> party(const json::value& value, const std::string& path) const;
  static Result<ListMatch> match(const json::value& value, const std::string& path);
  static Result<ListedOwner> owner(const json::value& value, const std::string& path);

  const RuleSet& rules_;
};

tl::unexpected<Error> CaseReader::unknown(Path path, std::string_view what, const std::string& word,
                                          const std::vector<std::string>& known) {
  std::string text = "\"" + word + "\" is not " + std::string(what);
  const auto near = closest(word, known);
  if (near) text += "; the nearest is \"" + *near + "\"";
  auto error = bad_field(path, text);
  if (near) error.value().details["nearest"] = *near;
  return error;
}

// "unknown" is a word for it.
Result<Fact<EndUse>> CaseReader::end_use(const json::value* value, const std::string& path) {
  MIZAN_TRY(raw, raw_fact(value, path));
  if (raw.value != nullptr && raw.value->is_string() && raw.value->get_string() == "unknown")
    return Fact<EndUse>{};
  return word<EndUse>(value, path, "an end use", kEndUseWords);
}

Result<Item> CaseReader::item(const json::value& value, const std::string& path) const {
  Item item;
  if (value.is_string()) {
    MIZAN_TRY(name, read_text(value, path));
    if (rules_.chip(name) == nullptr) {
      std::vector<std::string> known;
      for (const Chip& chip : rules_.chips()) known.push_back(chip.name);
      return unknown(path, "a chip of the chip table", name, known);
    }
    item.name = name;
    return item;
  }
  ObjectReader in(value, path);
  if (const json::value* memory = in.find("hbm")) {
    MIZAN_CHECK(in.finish());
    MIZAN_TRY(read, hbm(*memory, in.path("hbm")));
    item.kind = ItemKind::hbm;
    item.hbm = read;
    return item;
  }
  item.kind = ItemKind::chip_figures;
  MIZAN_TRY(figures, read_chip_columns(in, Evidence::proven, true));
  MIZAN_CHECK(in.finish());
  item.figures = std::move(figures);
  return item;
}

Result<Hbm> CaseReader::hbm(const json::value& value, const std::string& path) const {
  ObjectReader in(value, path);
  Hbm hbm;
  const auto positive = [](const json::value& raw, Path place) -> Result<Decimal> {
    MIZAN_TRY(number, read_decimal(raw, place));
    if (number.nano == 0) return bad_field(place, "is 0; leave an unknown figure out");
    return number;
  };
  MIZAN_TRY(bandwidth,
            read_fact<Decimal>(in.find("bandwidth_GBps"), in.path("bandwidth_GBps"), positive));
  MIZAN_TRY(area, read_fact<Decimal>(in.find("package_mm2"), in.path("package_mm2"), positive));
  MIZAN_TRY(packaged, flag(in, "co_packaged"));
  MIZAN_CHECK(in.finish());
  hbm.bandwidth_GBps = bandwidth;
  hbm.package_mm2 = area;
  hbm.co_packaged = packaged;
  return hbm;
}

Result<LicenceCondition> CaseReader::condition(const json::value& value,
                                               const std::string& path) const {
  MIZAN_TRY(text, read_text(value, path));
  const size_t colon = text.find(':');
  LicenceCondition condition;
  condition.kind = text.substr(0, colon);
  const auto& kinds = rules_.condition_kinds();
  if (std::find(kinds.begin(), kinds.end(), condition.kind) == kinds.end())
    return unknown(path, "a licence condition that some rule reads", condition.kind, kinds);
  const std::string code = colon == std::string::npos ? "" : text.substr(colon + 1);
  MIZAN_TRY(place, country_of(json::value(json::string_view(code)), path));
  condition.country = place;
  return condition;
}

Result<Licence> CaseReader::licence(const json::value& value, const std::string& path) const {
  ObjectReader in(value, path);
  Licence licence;
  const json::value nothing = json::object{};
  MIZAN_TRY(number, read_fact<std::string>(in.find("number"), in.path("number"), read_text));
  MIZAN_TRY(expires, read_fact<Date>(in.find("expires"), in.path("expires"),
                                     [](const json::value& raw, Path place) -> Result<Date> {
                                       MIZAN_TRY(text, from_json<std::string>(raw, place));
                                       auto date = parse_date(text);
                                       if (!date) return bad_field(place, date.error().message);
                                       return *date;
                                     }));
  const json::value* limits = in.find("scope");
  MIZAN_CHECK(in.finish());
  ObjectReader scope(limits == nullptr ? nothing : *limits, in.path("scope"));
  MIZAN_TRY(chip, read_fact<std::string>(scope.find("chip"), scope.path("chip"), read_text));
  MIZAN_TRY(units, count(scope, "units", 1'000'000'000));
  MIZAN_TRY(destination, place(scope, "destination"));
  MIZAN_TRY(party, read_fact<std::string>(scope.find("party"), scope.path("party"), read_text));
  MIZAN_CHECK(scope.finish());
  licence = {number, chip, units, destination, party, expires};
  return licence;
}

Result<ListMatch> CaseReader::match(const json::value& value, const std::string& path) {
  ObjectReader in(value, path);
  ListMatch match;
  json::value effect;
  in.required("id", match.id);
  in.required("effect", effect);
  MIZAN_CHECK(in.finish());
  MIZAN_TRY(place, read_word(effect, in.path("effect"), "an effect", kEffectWords));
  match.effect = static_cast<ListEffect>(place);
  return match;
}

Result<ListedOwner> CaseReader::owner(const json::value& value, const std::string& path) {
  ObjectReader in(value, path);
  ListedOwner owner;
  json::value effect;
  const json::value* share = in.find("share");
  in.required("list", owner.list);
  in.required("effect", effect);
  MIZAN_CHECK(in.finish());
  MIZAN_TRY(place, read_word(effect, in.path("effect"), "an effect", kEffectWords));
  owner.effect = static_cast<ListEffect>(place);
  MIZAN_TRY(fact, read_fact<Decimal>(share, in.path("share"),
                                     [](const json::value& raw, Path where) -> Result<Decimal> {
                                       auto number = read_decimal(raw, where);
                                       if (!number || number->nano > kNano)
                                         return bad_field(where, "a share is from 0 to 1");
                                       return *number;
                                     }));
  owner.share = fact;
  return owner;
}

Result<Party> CaseReader::party(const json::value& value, const std::string& path) const {
  ObjectReader in(value, path);
  Party party;
  json::value role;
  in.required("role", role);
  in.optional("id", party.id);
  MIZAN_TRY(seat, place(in, "country"));
  MIZAN_TRY(hq, place(in, "hq"));
  MIZAN_TRY(parent, place(in, "parent_hq"));
  MIZAN_TRY(lists, list<ListMatch>(in.find("lists"), in.path("lists"), match));
  MIZAN_TRY(owners, list<ListedOwner>(in.find("listed_owners"), in.path("listed_owners"), owner));
  MIZAN_CHECK(in.finish());
  MIZAN_TRY(role_place, read_word(role, in.path("role"), "a role", kRoleWords));
  party.role = static_cast<Role>(role_place);
  party.country = seat;
  party.hq = hq;
  party.parent_hq = parent;
  party.lists = std::move(lists);
  party.listed_owners = std::move(owners);
  return party;
}

Result<Case> CaseReader::read(const json::value& value, const std::string& path) {
  ObjectReader in(value, path);
  Case result;
  std::string day;
  in.optional("id", result.id);
  in.optional("date", day);
  if (in.failed()) return fail(in.finish().error());
  auto date = parse_date(day);
  if (!day.empty() && !date) return bad_field(in.path("date"), date.error().message);

  MIZAN_TRY(operation, word<Operation>(in.find("operation"), in.path("operation"), "an operation",
                                       kOperationWords));
  MIZAN_TRY(item_fact, read_fact<Item>(in.find("chip"), in.path("chip"),
                                       [this](const json::value& raw, Path where) {
                                         return item(raw, std::string(where));
                                       }));
  MIZAN_TRY(use, end_use(in.find("end_use"), in.path("end_use")));
  MIZAN_TRY(units, count(in, "units", 1'000'000'000));
  MIZAN_TRY(group_units, count(in, "group_units", 1'000'000'000'000));
  MIZAN_TRY(work, count(in, "training_work", INT64_MAX));
  MIZAN_TRY(origin, place(in, "origin"));
  MIZAN_TRY(location, place(in, "location"));
  MIZAN_TRY(destination, place(in, "destination"));
  MIZAN_TRY(certifications, words(in, "certifications", "a certification that some rule reads",
                                  rules_.certifications()));
  MIZAN_TRY(notices, words(in, "notices", "a notice that some rule reads", rules_.notices()));
  MIZAN_TRY(conditions,
            list<LicenceCondition>(in.find("licence_conditions"), in.path("licence_conditions"),
                                   [this](const json::value& raw, const std::string& where) {
                                     return condition(raw, where);
                                   }));
  MIZAN_TRY(licences, list<Licence>(in.find("licences"), in.path("licences"),
                                    [this](const json::value& raw, const std::string& where) {
                                      return licence(raw, where);
                                    }));
  MIZAN_TRY(parties, list<Party>(in.find("parties"), in.path("parties"),
                                 [this](const json::value& raw, const std::string& where) {
                                   return party(raw, where);
                                 }));
  if (parties.value.size() > kMostParties)
    return bad_field(in.path("parties"), "has more than 64 entries");
  MIZAN_TRY(training, flag(in, "training"));
  MIZAN_TRY(datacenter, flag(in, "datacenter_marketed"));
  MIZAN_CHECK(in.finish());
  if (!date) return bad_field(in.path("date"), "is missing; expected YYYY-MM-DD");
  result.date = *date;
  result.operation = operation;
  result.item = std::move(item_fact);
  result.end_use = use;
  result.units = units;
  result.group_units = group_units;
  result.training_work = work;
  result.origin = origin;
  result.location = location;
  result.destination = destination;
  result.certifications = std::move(certifications);
  result.notices = std::move(notices);
  result.licence_conditions = std::move(conditions);
  result.licences = std::move(licences);
  result.parties = std::move(parties);
  result.training = training;
  result.datacenter_marketed = datacenter;
  return result;
}

}  // namespace

Result<Case> read_case(const RuleSet& rules, const json::value& value, const std::string& path) {
  return CaseReader(rules).read(value, path);
}

}  // namespace mizan::policy
