// A committed record, applied once more: gives the configuration that its leader found.
import { SwarmdiskError } from '../../base/errors.js'
import { apply } from '../../layout/apply.js'
import type { Configuration } from '../../layout/configuration.js'
import type { HistoryRecord } from './configuration-history.js'

export function replay(current: Configuration | null, record: HistoryRecord): Configuration {
  const outcome = apply(current, record.change)
  if (outcome.kind === 'applied' && outcome.configuration.epoch === record.epoch) {
    return outcome.configuration
  }
  const why = outcome.kind === 'refused' ? outcome.reason : 'it has another number.'
  const message =
    `epoch ${record.epoch} of the configuration history cannot be repeated: ${why} Use the ` +
    'release that wrote it, or restore the data directory of the manager from a copy'
  throw new SwarmdiskError('corrupt', message)
}
