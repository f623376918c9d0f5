# Warnings are errors. Headers of other projects come in as system headers and are not warned about.
add_library(postrider_warnings INTERFACE)
target_compile_options(postrider_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror)
