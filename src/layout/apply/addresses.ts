// What is wrong with the addresses that a peer gives for itself.
import { ADDRESSES_MAX, HOST_LENGTH_MAX } from '../../base/limits.js'
import type { Address } from '../configuration.js'
import { refuse, type Refusal } from '../outcome.js'

export function addressesProblem(addresses: readonly Address[]): Refusal | null {
  if (addresses.length > ADDRESSES_MAX) {
    const most = `A peer has at most ${ADDRESSES_MAX} addresses: choose with --host.`
    return refuse('bad-server', most)
  }
  const bad = addresses.find(
    ({ host, port }) =>
      host === '' ||
      host.length > HOST_LENGTH_MAX ||
      !Number.isSafeInteger(port) ||
      port < 1 ||
      port > 65535,
  )
  if (bad === undefined) return null
  return refuse(
    'bad-server',
    `${bad.host}:${bad.port} is no address: use HOST:PORT with a port from 1 to 65535.`,
  )
}
