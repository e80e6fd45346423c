// Another clearance key in the place of one that may be stolen. Internal to lib/service.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/keystore.hpp"

#include <filesystem>

namespace mizan::service {

/// The passphrase of the keys in `folder`: from `file`, or, if that is empty, from the folder's
/// own, which `make` makes.
Result<std::string> read_key_passphrase(const std::filesystem::path& folder,
                                        const std::filesystem::path& file, bool make);

/// Makes keys/clearance-next.json below `state`, with the passphrase of the others, where it is not
/// there yet: its address. Nothing signs with it before use_spare_clearance.
Result<Address> make_spare_clearance(const std::filesystem::path& state,
                                     const std::filesystem::path& passphrase_file,
                                     const ScryptCost& cost = {});

/// Puts it in the place of keys/clearance.json, which stays as keys/clearance-0xADDRESS.json; the
/// exchange signs with it from its next start on. not_found: there is none, or it was done.
Result<Address> use_spare_clearance(const std::filesystem::path& state,
                                    const std::filesystem::path& passphrase_file);

}  // namespace mizan::service
