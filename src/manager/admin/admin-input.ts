// Commands of operators as they come from the wire: JSON becomes an AdminCommand here, or a
// sentence that says what is wrong with it. Names and sizes are judged by the layout's own rules.
import { EPOCH_LIMIT } from '../../base/brands.js'
import {
  ADMIN_REQUEST_BYTES_MAX,
  EPOCH_LIST_MAX,
  SHARDS_MAX,
  SNAPSHOT_SOURCE_LENGTH_MAX,
  SNAPSHOT_VOLUMES_MAX,
} from '../../base/limits.js'
import type { SnapshotSchedule } from '../../layout/configuration.js'
import {
  majority,
  minInSyncProblem,
  nameProblem,
  replicasProblem,
  schedulesProblem,
  sizeProblem,
  SNAPSHOT_PERIODS,
} from '../../layout/names.js'
import type { AdminCommand } from '../../net/admin.js'

export type ParsedCommand =
  | { readonly ok: true; readonly command: AdminCommand }
  | { readonly ok: false; readonly message: string }

type Fields = Readonly<Record<string, unknown>>
type Parse = (fields: Fields) => AdminCommand

/** Thrown and caught in this file only. */
class Wrong extends Error {}

const COMMANDS: Readonly<Record<AdminCommand['command'], Parse>> = {
  status: () => ({ command: 'status' }),
  'volume-create': volumeCreate,
  'volume-list': () => ({ command: 'volume-list' }),
  'volume-show': fields => ({ command: 'volume-show', name: volumeName(fields) }),
  'volume-delete': fields => ({ command: 'volume-delete', name: volumeName(fields) }),
  'volume-resize': volumeResize,
  'volume-set': volumeSet,
  'shard-promote': shardPromote,
  'snapshot-create': fields => ({ command: 'snapshot-create', snapshots: snapshotsOf(fields) }),
  'snapshot-list': fields => ({
    command: 'snapshot-list',
    volume: fields['volume'] === null ? null : nameOf({ name: fields['volume'] }, 'volume name'),
  }),
  'snapshot-delete': fields => ({ command: 'snapshot-delete', ...snapshotOf(fields) }),
  'snapshot-rollback': fields => ({ command: 'snapshot-rollback', ...snapshotOf(fields) }),
  'snapshot-clone': ({ volume, snapshot, name }) => ({
    command: 'snapshot-clone',
    volume: nameOf({ name: volume }, 'volume name'),
    snapshot: nameOf({ name: snapshot }, 'snapshot name'),
    name: nameOf({ name }, 'volume name'),
  }),
  'volume-flatten': fields => ({ command: 'volume-flatten', name: volumeName(fields) }),
  'server-list': () => ({ command: 'server-list' }),
  'server-drain': fields => ({
    command: 'server-drain',
    name: nameOf(fields, 'server name'),
    force: forceOf(fields),
  }),
  'server-undrain': fields => ({
    command: 'server-undrain',
    name: nameOf(fields, 'server name'),
  }),
  'server-remove': fields => ({
    command: 'server-remove',
    name: nameOf(fields, 'server name'),
    force: forceOf(fields),
  }),
  'manager-list': () => ({ command: 'manager-list' }),
  'manager-add': fields => ({ command: 'manager-add', ...managerOf(fields) }),
  'manager-remove': fields => ({ command: 'manager-remove', ...managerOf(fields) }),
  'epoch-list': fields => ({
    command: 'epoch-list',
    from: fields['from'] === null ? null : epochOf(fields, 'from'),
    limit: wholeNumber(fields, 'limit', EPOCH_LIST_MAX + 1),
  }),
  'epoch-show': fields => ({ command: 'epoch-show', epoch: epochOf(fields, 'epoch') }),
}

export function parseCommand(json: string): ParsedCommand {
  try {
    return { ok: true, command: parse(json) }
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return { ok: false, message: error.message }
  }
}

function parse(json: string): AdminCommand {
  if (json.length > ADMIN_REQUEST_BYTES_MAX) {
    throw new Wrong(`A command has at most ${ADMIN_REQUEST_BYTES_MAX} characters: shorten it.`)
  }
  const fields = objectOf(json)
  const name = fields['command']
  if (typeof name !== 'string' || !Object.hasOwn(COMMANDS, name)) {
    throw new Wrong(
      `The manager does not know the command ${shown(name)}: use the same release everywhere.`,
    )
  }
  return COMMANDS[name as AdminCommand['command']](fields)
}

function objectOf(json: string): Fields {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  } catch {
    // Said below, in one way for everything that is no object.
  }
  throw new Wrong('A command is a JSON object: send one.')
}

function volumeCreate(fields: Fields): AdminCommand {
  const name = volumeName(fields)
  const { size, replicas, minInSync } = fields
  if (typeof size !== 'number') throw new Wrong('The size of the volume is missing: give one.')
  if (typeof replicas !== 'number') throw new Wrong('The number of replicas is missing: give one.')
  refuseIf(sizeProblem(size) ?? replicasProblem(replicas))
  if (minInSync !== null && typeof minInSync !== 'number') {
    throw new Wrong('The minimum of in-sync copies is neither a number nor null: give one of them.')
  }
  refuseIf(minInSyncProblem(minInSync ?? majority(replicas), replicas))
  return { command: 'volume-create', name, size, replicas, minInSync, force: forceOf(fields) }
}

function volumeResize(fields: Fields): AdminCommand {
  const name = volumeName(fields)
  const { size } = fields
  if (typeof size !== 'number') throw new Wrong('The size of the volume is missing: give one.')
  refuseIf(sizeProblem(size))
  return { command: 'volume-resize', name, size, force: forceOf(fields) }
}

function volumeSet(fields: Fields): AdminCommand {
  const name = volumeName(fields)
  const { minInSync, snapshots } = fields
  if (minInSync !== null && typeof minInSync !== 'number') {
    throw new Wrong('The minimum of in-sync copies is neither a number nor null: give one of them.')
  }
  const schedules = snapshots === null ? null : schedulesOf(snapshots)
  const force = forceOf(fields)
  return { command: 'volume-set', name, minInSync, snapshots: schedules, force }
}

function schedulesOf(value: unknown): readonly SnapshotSchedule[] {
  if (!Array.isArray(value) || value.length > SNAPSHOT_PERIODS.length) {
    throw new Wrong('The schedules of snapshots are no list of periods: give one.')
  }
  const schedules = value.map((one: unknown): SnapshotSchedule => {
    const { period, keep } = (one ?? {}) as Fields
    const known = SNAPSHOT_PERIODS.find(name => name === period)
    if (known === undefined || typeof keep !== 'number') {
      throw new Wrong(`${shown(one)} is no schedule of snapshots: give a period and a number.`)
    }
    return { period: known, keep }
  })
  refuseIf(schedulesProblem(schedules))
  return schedules
}

function shardPromote(fields: Fields): AdminCommand {
  const { server, acceptDataLoss } = fields
  return {
    command: 'shard-promote',
    volume: nameOf({ name: fields['volume'] }, 'volume name'),
    shard: wholeNumber(fields, 'shard', SHARDS_MAX),
    server: nameOf({ name: server }, 'server name'),
    acceptDataLoss: acceptDataLoss === true,
  }
}

interface SnapshotInput {
  readonly volume: string
  readonly name: string
}

function snapshotOf({ volume, name }: Fields): SnapshotInput {
  return {
    volume: nameOf({ name: volume }, 'volume name'),
    name: nameOf({ name }, 'snapshot name'),
  }
}

function sourceOf({ source }: Fields): { readonly source?: string } {
  if (source === undefined) return {}
  const fits = typeof source === 'string' && source.length <= SNAPSHOT_SOURCE_LENGTH_MAX
  if (fits && /^[\x21-\x7e]+$/.test(source)) return { source }
  throw new Wrong(`${shown(source)} is no identity of a snapshot: give what its export says.`)
}

function snapshotsOf({ snapshots }: Fields): readonly SnapshotInput[] {
  const list: readonly unknown[] = Array.isArray(snapshots) ? snapshots : []
  if (list.length === 0 || list.length > SNAPSHOT_VOLUMES_MAX) {
    throw new Wrong(`A snapshot is of 1 to ${SNAPSHOT_VOLUMES_MAX} volumes: name them.`)
  }
  return list.map(one => {
    if (typeof one !== 'object' || one === null) {
      throw new Wrong(`${shown(one)} is no snapshot: give a volume and a name.`)
    }
    return { ...snapshotOf(one as Fields), ...sourceOf(one as Fields) }
  })
}

function volumeName(fields: Fields): string {
  return nameOf(fields, 'volume name')
}

function nameOf({ name }: Fields, what: string): string {
  if (typeof name !== 'string') throw new Wrong(`The ${what} is missing: give one.`)
  refuseIf(nameProblem(what, name))
  return name
}

/** Of older commands, which do not say it, false. */
function forceOf({ force = false }: Fields): boolean {
  if (typeof force === 'boolean') return force
  throw new Wrong(`"force" is ${shown(force)}: use true or false.`)
}

function managerOf(fields: Fields): { readonly manager: string; readonly force: boolean } {
  const { manager } = fields
  if (typeof manager !== 'string' || !/^[0-9a-f]{1,64}$/i.test(manager)) {
    throw new Wrong(
      `${shown(manager)} is no manager: give its identity, or a beginning of it, in hexadecimal ` +
        'digits (`swarmdisk manager list` shows them).',
    )
  }
  return { manager: manager.toLowerCase(), force: forceOf(fields) }
}

function epochOf(fields: Fields, field: string): number {
  return wholeNumber(fields, field, EPOCH_LIMIT)
}

function wholeNumber(fields: Fields, field: string, limit: number): number {
  const value = fields[field]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < limit) {
    return value
  }
  throw new Wrong(`"${field}" is ${shown(value)}: use a whole number from 0 to ${limit - 1}.`)
}

function refuseIf(problem: string | null): void {
  if (problem !== null) throw new Wrong(problem)
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80)
}
