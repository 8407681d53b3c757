/// The update rules and schedules that configurations can name: a new one is a file and a line here.
public enum OptimizerCatalog {
  /// Update rules, for `optimizer:`.
  public static let rules: [any UpdateRule.Type] = [
    SGD.self,
    Adam.self,
    AdamW.self,
    RMSprop.self,
    LARS.self,
  ]

  /// Schedules, for `optimizer.schedule`.
  public static let schedules: [any Schedule.Type] = [
    ConstantSchedule.self,
    StepSchedule.self,
    CosineSchedule.self,
    OneCycleSchedule.self,
  ]
}
