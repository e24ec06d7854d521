// What operators are answered: results, and refusals as the codes that scripts test for.
import type { ErrorCode } from '../../base/errors.js'
import type { Configuration, VolumeRecord } from '../../layout/configuration.js'
import type { AdminResult } from '../../net/admin.js'
import type { PeerInfo } from '../../net/peers.js'
import { shortId } from '../describe-change.js'

export function success(result: unknown): AdminResult {
  return { ok: true, result }
}

export function failure(code: ErrorCode, message: string): AdminResult {
  return { ok: false, code, message }
}

/** Codes of refusals that do not mean that the cluster decided against it. */
const CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ...['bad-name', 'name-taken', 'bad-size', 'bad-replicas', 'bad-min-in-sync'].map(badInput),
  ...['too-few-servers', 'too-many', 'bad-schedule'].map(badInput),
  ['in-use', 'in-use'],
  ['no-such-volume', 'not-found'],
  ['no-such-server', 'not-found'],
  ['no-such-snapshot', 'not-found'],
  ['no-such-manager', 'not-found'],
  // Nothing was done, so that it may be tried again; see `undecided` for the other case.
  ['no-leader', 'unreachable'],
  ['no-majority', 'unreachable'],
])

function badInput(code: string): readonly [string, ErrorCode] {
  return [code, 'bad-input']
}

/** `code`: of the rule or the vote that refused it. */
export function refused(refusal: { readonly code: string; readonly reason: string }): AdminResult {
  return failure(CODES.get(refusal.code) ?? 'refused', refusal.reason)
}

/** Whose operator asks: a connected peer, or this manager itself through its control socket. */
export type Asker = Pick<PeerInfo, 'id' | 'roles'>

/** As which the history names them. */
export function operator({ roles, id }: Asker): string {
  return `operator at ${roles[0] ?? 'peer'} ${shortId(id)}`
}

export function onVolume<R>(
  { configuration }: { readonly configuration: Configuration },
  name: string,
  then: (volume: VolumeRecord) => R,
): R | AdminResult {
  for (const volume of configuration.volumes.values()) if (volume.name === name) return then(volume)
  return failure('not-found', `There is no volume "${name}": see \`swarmdisk volume list\`.`)
}
