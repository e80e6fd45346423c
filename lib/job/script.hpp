// Shell scripts as job files, and what both kinds of job file share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "job/job_file.hpp"

namespace mizan::job {

/// Reads a script that starts with "#!": its #SBATCH lines up to the first command say what it
/// needs. An option that Mizan does not read is an error, never ignored.
Result<JobFile> parse_script(std::string_view text, std::string_view file_name);

/// Fills in units and query, and checks the whole job.
Result<void> complete(JobFile& file);

/// A job's name from its file's: the last part without its ending, or "job" where that is no name.
std::string name_of_file(std::string_view file_name);

/// `text` as one word of the shell.
std::string shell_quote(std::string_view text);

}  // namespace mizan::job
