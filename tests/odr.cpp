// Every header of the components under test, a second time in the same program: whatever is defined in one of them and
// not inline does not link. doors.hpp is made by the build, so that no room is forgotten.
#include <doors.hpp>
