#include "proxy.hpp"

#include "chain.hpp"

namespace mizan::test {

Proxy::Proxy(const std::string& node_url) : node_(must(net::parse_url(node_url))) {
  server_ = must(net::Server::start({}, *this));
}

Proxy::~Proxy() {
  server_->stop();
}

void Proxy::set(Rewrite rewrite) {
  const std::lock_guard lock(mutex_);
  rewrite_ = std::move(rewrite);
}

void Proxy::fall(size_t at, bool reached) {
  const std::lock_guard lock(mutex_);
  falls_in_ = at;
  reached_ = reached;
}

void Proxy::plan(const net::Request&, net::PlanAnswer answer) {
  answer(net::BodyPlan{uint64_t{16} << 20, {}});
}

void Proxy::handle(net::Request request, std::shared_ptr<net::BodySink>, net::Respond respond) {
  const std::lock_guard lock(mutex_);
  const bool down = falls_in_ == 1;
  if (falls_in_ > 1) --falls_in_;
  net::Response out;
  out.status = 503;
  if (!down || reached_) {
    if (down) reached_ = false;
    const std::string method(json::parse(request.body).at("method").as_string());
    const auto answer = node_.post("/", request.body, "again");
    if (answer) {
      std::optional<std::string> body = answer->body;
      if (rewrite_) body = rewrite_(method, std::move(*body));
      if (body && !down) {
        out.status = 200;
        out.body = std::move(*body);
      }
    }
  }
  respond(std::move(out));
}

void Proxy::upgrade(net::Request, net::UpgradeAnswer answer) {
  answer(fail(ErrorCode::not_found, "no WebSocket here"));
}

std::string with_result(const std::string& answer, const json::value& result) {
  json::object object = json::parse(answer).as_object();
  object.erase("error");
  object["result"] = result;
  return json::serialize(object);
}

}  // namespace mizan::test
