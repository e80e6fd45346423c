// What HTTP carries beside bodies: paths, queries, addresses, logins, failures. The first byte says
// which the rest is.
#include "fuzz/fuzz.hpp"
#include "net/auth.hpp"
#include "net/http.hpp"

using namespace mizan;

namespace {

void request(std::string_view text) {
  net::Request request;
  request.method = "POST";
  request.target = std::string(text.substr(0, text.find('\n')));
  (void)request.path();
  (void)request.query();
  for (std::string_view left = text; !left.empty();) {
    const std::string_view line = left.substr(0, left.find('\n'));
    left.remove_prefix(std::min(line.size() + 1, left.size()));
    if (const size_t at = line.find(':'); at != line.npos)
      request.headers.emplace_back(line.substr(0, at), line.substr(at + 1));
  }
  net::Authenticator authenticator(eip712::Domain::credits(Hash32{}), {}, 10);
  ensure(!authenticator.check(request, "", {1'800'000'000'000}), "nobody signed this");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      if (const auto plain = net::percent_decode(text))
        ensure(net::percent_decode(net::percent_encode(*plain)) == *plain,
               "text is decoded as it is encoded");
      break;
    case 1:
      if (const auto query = net::parse_query(text)) {
        std::string again;
        for (const auto& [name, value] : *query)
          again += (again.empty() ? "" : "&") + net::percent_encode(name) + "=" +
                   net::percent_encode(value);
        ensure(net::parse_query(again) == *query, "a query is read as it is written");
      }
      break;
    case 2:
      if (const auto url = net::parse_url(text)) {
        const auto again = net::parse_url(url->text());
        ensure(again && again->text() == url->text(), "an address is read as it is written");
      }
      break;
    case 3:
      if (const auto proof = net::decode_login(text)) {
        const auto again = net::decode_login(net::encode_login(*proof));
        ensure(again && again->login == proof->login && again->signature == proof->signature,
               "a login is read as it is written");
      }
      break;
    case 4: {
      const Error error = net::parse_error(400, text);
      const Error again = net::parse_error(400, net::error_json(error));
      ensure(again.code == error.code, "a failure keeps its code on the way");
      break;
    }
    default:
      request(text);
  }
  return 0;
}
