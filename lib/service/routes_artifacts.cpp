// Artifacts: bytes in, by their SHA-256, and out again to those who may.
#include "codec/json_fields.hpp"
#include "service/routes.hpp"
#include "service/wire.hpp"

#include <charconv>
#include <tuple>

namespace mizan::service {

using exchange::Exchange;
using exchange::Lease;

namespace {

class UploadSink final : public net::BodySink {
 public:
  explicit UploadSink(std::unique_ptr<ArtifactStore::Upload> upload_)
      : upload(std::move(upload_)) {}
  Result<void> write(ByteView bytes) override { return upload->write(bytes); }
  std::unique_ptr<ArtifactStore::Upload> upload;
};

/// Whether the spec's job names the artifact as its working directory.
bool names_workdir(const std::string& spec, const Hash32& name) {
  if (spec.find(hex(name.view())) == std::string::npos) return false;
  const auto value = parse_json(spec, {}, "the spec");
  if (!value || !value->is_object()) return false;
  const json::value* job = value->get_object().if_contains("job");
  const json::value* workdir =
      job && job->is_object() ? job->get_object().if_contains("workdir") : nullptr;
  if (!workdir || !workdir->is_string()) return false;
  const auto named = parse_fixed<Hash32>(std::string_view(workdir->get_string()));
  return named && *named == name;
}

/// One range of "bytes=a-b", "bytes=a-" or "bytes=-n"; nothing for what is to be ignored (another
/// unit, several ranges, nonsense), an error for a range outside the bytes.
Result<std::optional<std::pair<uint64_t, uint64_t>>> read_range(std::string_view text,
                                                                uint64_t size) {
  using Range = std::optional<std::pair<uint64_t, uint64_t>>;
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit) || text.find(',') != std::string_view::npos) return Range{};
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return Range{};
  const auto number = [](std::string_view digits) -> std::optional<uint64_t> {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  const auto outside = [] {
    return fail(Error{ErrorCode::invalid_argument, "the range lies outside the artifact", {}}.with(
        "field", "Range"));
  };
  if (dash == 0) {
    if (!last) return Range{};
    if (*last == 0 || size == 0) return outside();
    const uint64_t length = std::min(*last, size);
    return Range({size - length, length});
  }
  if (!first || (dash + 1 < text.size() && (!last || *last < *first))) return Range{};
  if (*first >= size) return outside();
  const uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return Range({*first, end - *first + 1});
}

Error no_such_artifact() {
  return Error{ErrorCode::not_found, "there is no such artifact; they are kept for seven days", {}};
}

}  // namespace

Result<net::BodyPlan> Routes::plan_artifact(const net::Request& head, const std::string& name) {
  const auto hash = parse_fixed<Hash32>(name);
  if (!hash) return bad_field("sha256", "is the SHA-256 of the body in hex");
  MIZAN_TRY(who, caller(head));
  if (!head.content_length) return bad_field("Content-Length", "is needed to store an artifact");
  MIZAN_CHECK(relays_for(who, true));
  const bool known = context_.state.read([&](const Exchange& core) {
    return core.account(who).balance.nano != 0 || !core.leases_of(who).empty();
  });
  if (!known)
    return fail(ErrorCode::insufficient_funds,
                "an artifact is taken from an account with a balance or a lease");
  MIZAN_TRY(upload, context_.artifacts->begin(*hash, who, *head.content_length));
  return net::BodyPlan{*head.content_length, std::make_shared<UploadSink>(std::move(upload))};
}

void Routes::put_artifact(Call call) {
  auto* sink = dynamic_cast<UploadSink*>(call.sink.get());
  if (sink == nullptr)
    return call.refuse({ErrorCode::internal, "the upload has no place to go", {}});
  const auto name = parse_fixed<Hash32>(call.path[0]);
  const bool there = context_.artifacts->has(*name);
  const auto stored = sink->upload->commit(context_.time.now());
  if (!stored) return call.refuse(stored.error());
  net::Response response =
      json_response(json::object{{"sha256", to_json(*name)}, {"bytes", sink->upload->size()}});
  response.status = there ? 200 : 201;
  call.respond(std::move(response));
}

Result<void> Routes::relays_for(const Address& who, bool sends) const {
  return context_.state.read([&](const Exchange& core) -> Result<void> {
    if (!core.is_frozen(who)) return {};
    if (sends)
      for (const Lease* lease : core.live_leases_of(who))
        if (!core.is_frozen(lease->terms.buyer)) return {};
    return fail(ErrorCode::policy_blocked,
                "the account is frozen, since a party to it is listed: nothing is relayed for it");
  });
}

bool Routes::may_read_artifact(const Hash32& name, const Address& who) const {
  if (context_.artifacts->uploaded_by(name, who)) return true;
  return context_.state.read([&](const Exchange& core) {
    // A party names what it likes: to name another's artifact must not be to read it.
    const auto uploaded = [&](const Address& by) {
      return context_.artifacts->uploaded_by(name, by);
    };
    for (const Lease* lease : core.leases_of(who))
      if ((lease->outputs == name && uploaded(lease->terms.provider)) ||
          (names_workdir(lease->spec, name) && uploaded(lease->terms.buyer)))
        return true;
    return false;
  });
}

void Routes::get_artifact(Call call) {
  const auto who = caller(call.request);
  if (!who) return call.refuse(who.error());
  if (const auto relays = relays_for(*who, false); !relays) return call.refuse(relays.error());
  const auto name = parse_fixed<Hash32>(call.path[0]);
  // Whether it exists is not for everybody to know.
  if (!name || !may_read_artifact(*name, *who)) return call.refuse(no_such_artifact());
  const auto opened = context_.artifacts->open_file(*name);
  if (!opened) return call.refuse(opened.error());
  uint64_t offset = 0, length = opened->size;
  net::FileRange file(opened->descriptor, 0, opened->size);  // closes it on every way out
  net::Response response;
  response.content_type = "application/octet-stream";
  response.headers.emplace_back("Accept-Ranges", "bytes");
  if (const std::string* text = net::find_header(call.request.headers, "Range")) {
    const auto range = read_range(*text, opened->size);
    if (!range) {
      response = net::error_response(range.error());
      response.status = 416;
      response.headers.emplace_back("Content-Range", "bytes */" + std::to_string(opened->size));
      return call.respond(std::move(response));
    }
    if (*range) {
      std::tie(offset, length) = **range;
      response.status = 206;
      response.headers.emplace_back("Content-Range", "bytes " + std::to_string(offset) + "-" +
                                                         std::to_string(offset + length - 1) + "/" +
                                                         std::to_string(opened->size));
      file.narrow(offset, length);
    }
  }
  response.file = std::move(file);
  call.respond(std::move(response));
}

}  // namespace mizan::service
