#include "settlement/json_rpc.hpp"

#include <boost/json.hpp>

#include <thread>

namespace mizan::settlement {
namespace {

constexpr size_t kMostText = 300;
constexpr size_t kMostErrorData = 4096;

net::ClientOptions client_options(const RpcOptions& options) {
  return {options.connect_timeout, options.timeout, options.max_answer_bytes};
}

/// The hex of a revert: nodes put it into "data" as a string, or into an object there.
const json::string* find_data(const json::object& error) {
  const json::value* data = error.if_contains("data");
  if (data != nullptr && data->is_object()) data = data->get_object().if_contains("data");
  return data != nullptr ? data->if_string() : nullptr;
}

Error node_error(const json::object& error) {
  const json::value* code = error.if_contains("code");
  const json::value* message = error.if_contains("message");
  const std::string text = printable_text(
      message != nullptr && message->is_string() ? std::string_view(message->get_string()) : "");
  Error out = Error{ErrorCode::conflict, "the node refuses: " + text, {}}.with("rpc_message", text);
  if (code != nullptr && code->is_number())
    out = std::move(out).with("rpc_code", boost::json::serialize(*code));
  if (const json::string* data = find_data(error);
      data != nullptr && data->size() <= kMostErrorData)
    if (parse_hex(*data)) out = std::move(out).with("rpc_data", std::string(*data));
  return out;
}

}  // namespace

std::string printable_text(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMostText)) out.push_back(c >= ' ' && c <= '~' ? c : ' ');
  return out;
}

Result<JsonRpc> JsonRpc::open(std::string_view url, const RpcOptions& options) {
  const size_t scheme = url.find("://");
  const size_t slash = scheme == std::string_view::npos ? scheme : url.find('/', scheme + 3);
  const std::string_view path = slash == std::string_view::npos ? "/" : url.substr(slash);
  auto parsed = net::parse_url(url.substr(0, slash));
  if (!parsed || path.find_first_of(" \r\n") != std::string_view::npos)
    return fail(ErrorCode::invalid_argument,
                "a node's address looks like https://host:port/path, or http://127.0.0.1:port for "
                "one on this machine");
  const std::string where = parsed->authority();
  auto client = std::make_shared<net::Client>(*std::move(parsed), nullptr, client_options(options));
  return JsonRpc(
      where,
      [client, path = std::string(path)](const std::string& body) -> Result<std::string> {
        MIZAN_TRY(response, client->post(path, body));
        return std::move(response.body);
      },
      options);
}

Result<json::value> JsonRpc::call(std::string_view method, const json::array& params) {
  net::Milliseconds pause = options_.pause;
  for (unsigned i = 1;; ++i) {
    auto answer = attempt(method, params);
    if (answer || answer.error().code != ErrorCode::unavailable || i >= options_.attempts)
      return answer;
    std::this_thread::sleep_for(pause);
    pause *= 2;
  }
}

Result<json::value> JsonRpc::attempt(std::string_view method, const json::array& params) {
  const auto nonsense = [this](const std::string& what) {
    return fail(ErrorCode::unavailable, "the node " + where() + " " + what);
  };
  const json::object request{
      {"jsonrpc", "2.0"}, {"id", ++id_}, {"method", method}, {"params", params}};
  const auto body = post_(boost::json::serialize(request));
  if (!body) {
    const auto status = body.error().details.find("status");
    if (status != body.error().details.end())
      return nonsense("answers with HTTP status " + status->second);
    return nonsense("does not answer: " + body.error().message);
  }
  const auto parsed = parse_json(
      *body, {.max_bytes = options_.max_answer_bytes, .max_depth = 32, .allow_fractions = true});
  if (!parsed || !parsed->is_object()) return nonsense("does not talk JSON-RPC");
  const json::object& answer = parsed->get_object();
  const json::value* id = answer.if_contains("id");
  if (id == nullptr || !id->is_number() || *id != json::value(id_))
    return nonsense("answers another question");
  if (const json::value* error = answer.if_contains("error");
      error != nullptr && !error->is_null()) {
    if (!error->is_object()) return nonsense("does not talk JSON-RPC");
    return fail(node_error(error->get_object()));
  }
  const json::value* result = answer.if_contains("result");
  if (result == nullptr) return nonsense("does not talk JSON-RPC");
  return *result;
}

}  // namespace mizan::settlement
