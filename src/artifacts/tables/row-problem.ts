/** Why a line is no row. */
export class RowProblem extends Error {
  override readonly name = 'RowProblem';
}
