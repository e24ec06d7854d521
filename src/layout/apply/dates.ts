// Times that people read in a configuration: whoever proposes a change says them.
import { DATE_LENGTH_MAX } from '../../base/limits.js'
import { refuse, type Refusal } from '../outcome.js'

const DATE = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

/** `what`: "attachment", "snapshot". */
export function dateProblem(what: string, date: string): Refusal | null {
  if (date.length <= DATE_LENGTH_MAX && DATE.test(date)) return null
  return refuse('bad-name', `The time of ${what} is not in ISO 8601: say it in that form.`)
}
