// Where figures were taken: a line below every table.
import { cpus, loadavg, totalmem } from 'node:os'

export function machine(): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const model = cpus()[0]?.model ?? 'unknown'
  const load = loadavg()[0]?.toFixed(1) ?? 'unknown'
  const host = `${cpus().length} cores (${model}), ${gigabytes} GiB`
  return `${host}, node ${process.version}, load ${load}`
}
