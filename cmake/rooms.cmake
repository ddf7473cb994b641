# The house as data: which room belongs to which component, and what it may include.
# A room may include the rooms named here and whatever those may; the headers of others than podium are named by
# the component. tests/includes.cmake asks the compiler whether that holds.

set(PODIUM_PRIMITIVES core observe labels probe autoscale traffic rollout schedule reconcile image)
set(PODIUM_COMPONENTS podium system yaml asio)

set(PODIUM_ROOMS_podium podium version ${PODIUM_PRIMITIVES})
set(PODIUM_ROOMS_system model controllers agent api sim src)
set(PODIUM_ROOMS_yaml yaml)
set(PODIUM_ROOMS_asio store runtime net cluster)

set(PODIUM_MAY_INCLUDE_core)
set(PODIUM_MAY_INCLUDE_observe core)
set(PODIUM_MAY_INCLUDE_labels core)
set(PODIUM_MAY_INCLUDE_probe core)
set(PODIUM_MAY_INCLUDE_autoscale core)
set(PODIUM_MAY_INCLUDE_traffic core labels observe)
set(PODIUM_MAY_INCLUDE_rollout core observe)
set(PODIUM_MAY_INCLUDE_schedule core labels)
set(PODIUM_MAY_INCLUDE_reconcile core labels observe)
set(PODIUM_MAY_INCLUDE_image core)
set(PODIUM_MAY_INCLUDE_model ${PODIUM_PRIMITIVES})
set(PODIUM_MAY_INCLUDE_controllers model)
set(PODIUM_MAY_INCLUDE_agent model)
set(PODIUM_MAY_INCLUDE_api controllers)
set(PODIUM_MAY_INCLUDE_sim model controllers agent api)
set(PODIUM_MAY_INCLUDE_yaml model)
set(PODIUM_MAY_INCLUDE_store reconcile)
set(PODIUM_MAY_INCLUDE_runtime model)
set(PODIUM_MAY_INCLUDE_net traffic probe api runtime)
set(PODIUM_MAY_INCLUDE_cluster sim yaml store net)

set(PODIUM_MAY_INCLUDE_podium ${PODIUM_PRIMITIVES})
set(PODIUM_MAY_INCLUDE_src sim)

# The component of `room`, or nothing.
function(podium_component_of room out)
  foreach(component IN LISTS PODIUM_COMPONENTS)
    if(room IN_LIST PODIUM_ROOMS_${component})
      set(${out} ${component} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${out} "" PARENT_SCOPE)
endfunction()
