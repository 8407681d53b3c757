import Foundation

/// e^x in Float64, for references.
func exponential(_ x: Double) -> Double { exp(x) }

/// The natural logarithm in Float64, for references.
func naturalLogarithm(_ x: Double) -> Double { log(x) }
