// What a storage server says of itself when it registers, as the record that the configuration
// keeps. Whether it is acceptable is for `apply` to say.
import type { Configuration, ServerRecord } from '../layout/configuration.js'
import { isDraining } from '../layout/replicas.js'
import type { RegisterRequest } from '../net/messages.js'
import type { PeerInfo } from '../net/peers.js'

export function serverRecordOf(
  request: RegisterRequest,
  from: Pick<PeerInfo, 'id'>,
  configuration: Configuration,
): ServerRecord {
  const { name, domain, addresses, capacity, weight, incarnation } = request
  // Registering ends an absence, but not the draining that an operator began.
  const state = isDraining(configuration, from.id) ? 'draining' : 'up'
  return { id: from.id, name, domain, addresses, capacity, weight, state, incarnation }
}
