#include "service/driver.hpp"

namespace mizan::service {

Driver::Driver(Service& service) : service_(service), thread_([this] { run(); }) {}

Driver::~Driver() {
  stopping_ = true;
  service_.sequencer().wake();
  thread_.join();
}

void Driver::run() {
  constexpr net::Milliseconds kMostIdle{250};
  while (!stopping_ && !service_.sequencer().failed())
    if (!service_.step()) service_.sequencer().wait(service_.idle_for(kMostIdle));
}

}  // namespace mizan::service
